# SPDX-License-Identifier: Apache-2.0
"""What is asked of the sidecar, and whether a run of the bench has seen it. Each bar reads medians of
lines that it names; where one was not measured it says nothing."""

import dataclasses
import typing

from lines import BODIES, BROKER_PACE_MS, MANY_ENDPOINTS, Line

PRODUCE = Line("null")
ALONE = Line("null", connections=1)
CROWD = Line("null", n_idle=4096)
LONG_FILE = Line("null", n_endpoints=MANY_ENDPOINTS)
RABBITMQ = Line("rabbitmq"), Line("rabbitmq", "consume")
MANAGEMENT = Line("management"), Line("management", "consume")
PACED = Line("null", pause_ms=BROKER_PACE_MS), Line("null", "consume", pause_ms=BROKER_PACE_MS)
TLS = Line("rabbitmq", "transient", is_tls=True)  # the one that most messages pass a second
LARGE = Line("null", connections=8, body=BODIES["1MiB"])


@dataclasses.dataclass(frozen=True)
class Bar:
    what: str
    bar: str  # in words
    measure: typing.Callable  # of a Run: what the bar is about, in words, and is it met?


@dataclasses.dataclass(frozen=True)
class Run:
    table: dict  # a Line's medians
    start: dict  # likewise
    floor: dict


def reading(line, key, unit, is_met):
    def measure(run):
        value = run.table[line][key]
        return f"{value:.2f} {unit}", is_met(value)
    return measure


def at_most(most, line, key, unit="x"):
    return reading(line, key, unit, lambda value: value <= most)


def at_least(least, line, key, unit="x"):
    return reading(line, key, unit, lambda value: value >= least)


def against_management(run):
    times = [run.table[ours]["per_s"] / run.table[theirs]["per_s"]
             for ours, theirs in zip(RABBITMQ, MANAGEMENT)]
    return f"{times[0]:.1f} x and {times[1]:.1f} x", min(times) >= 10


def large_bodies(run):
    """The ceiling's CPU, of its best round as a poor one would flatter, and one copy is the least that it takes."""
    gb_per_s = run.table[LARGE]["per_s"] * LARGE.body / 1e9
    least_us = run.table[LARGE.ceiling]["cpu_us_range"][0] + run.floor["copy_us"]
    times = run.table[LARGE]["cpu_us"] / least_us
    return f"{gb_per_s:.2f} GB/s, {times:.2f} x of {least_us:.0f} us", gb_per_s >= 1 or times <= 1.5


def memory(run):
    idle, loaded = run.start["idle_pss_mib"], run.table[PRODUCE]["pss_mib"]
    return f"{idle:.1f} / {loaded:.1f} MiB", idle <= 10 and loaded <= 24


def start(run):
    return f"{run.start['start_ms']:.0f} ms", run.start["start_ms"] <= 100


BARS = [
    Bar("CPU per produce, null broker", "<= 1.5 x bare", at_most(1.5, PRODUCE, "times_bare")),
    Bar("produce per second, null broker", ">= 0.75 x bare", at_least(0.75, PRODUCE, "times_bare_per_s")),
    Bar("CPU per produce on RabbitMQ, persistent, confirmed", "<= 2 x bare", at_most(2, RABBITMQ[0], "times_bare")),
    Bar("the same at about its pace, null broker", "<= 2 x bare at that pace", at_most(2, PACED[0], "times_bare")),
    Bar("CPU per consume on RabbitMQ, ack after write", "<= 2.5 x bare", at_most(2.5, RABBITMQ[1], "times_bare")),
    Bar("the same at about its pace, null broker", "<= 2.5 x bare at that pace", at_most(2.5, PACED[1], "times_bare")),
    Bar("produce and consume per second on RabbitMQ", ">= 10 x its HTTP API", against_management),
    Bar("added p50 at one connection, null broker", "<= 40 us", at_most(40, ALONE, "added_p50_us", "us")),
    Bar("bodies of 1 MiB through one worker, null broker", ">= 1 GB/s, or <= 1.5 x bare and one copy", large_bodies),
    Bar("CPU beside 4,096 idle connections", "<= 1.1 x without them", at_most(1.1, CROWD, "times_other")),
    Bar("memory, idle / under load", "<= 10 / <= 24 MiB", memory),
    Bar("start to the first 200", "<= 100 ms", start),
    Bar("CPU with 2,000 endpoints", "<= 1.03 x with 2", at_most(1.03, LONG_FILE, "times_other")),
    Bar("CPU for TLS to RabbitMQ, a message", "<= 1 us", at_most(1, TLS, "added_us", "us")),
]


def judge(run):
    """[{what, bar, measured, met}]; what was not measured is None, and neither met nor missed."""
    verdicts = []
    for bar in BARS:
        try:
            measured, is_met = bar.measure(run)
        except KeyError:
            measured, is_met = None, None
        verdicts.append({"what": bar.what, "bar": bar.bar, "measured": measured, "met": is_met})
    return verdicts


def print_verdicts(verdicts):
    words = {True: "met", False: "MISSED", None: "not measured"}
    rows = [(v["what"], v["bar"], v["measured"] or "", words[v["met"]]) for v in verdicts]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        print("  ".join(f"{cell:{n}}" for cell, n in zip(row, widths)), row[3], sep="  ")
