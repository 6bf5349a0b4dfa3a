#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the sidecar beside what it is compared with: every line once a round, in turn, so that a
change of the machine's mood meets all of them; the figures are medians over the rounds. Prints a table
and writes it as JSON. Runs under with_broker; tools/bench builds what it needs."""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import platform
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

import bars
import lines as bench_lines
import sides

HERE = pathlib.Path(__file__).resolve().parent
WRK_S = 60  # more than this beyond its duration wrk does not get
FIRST_RATES = {"rabbitmq": 12000, "management": 1500}  # consumes a second, before one was measured
FLOOR_S = 30  # for what takes a second
FILL_TRIES = 20
EMPTY_LIST = "[]"  # the management API's answer when there is no message


class Stage:
    """All sides of a run, started when a line first needs them."""

    def __init__(self, build, folder, stack):
        self.programs = {"leveret": build / "tools/leveret/leveret",
                         "ceiling": build / "tests/bench/ceiling",
                         "null": build / "tests/bench/null_broker",
                         "floor": build / "tests/bench/floor"}
        self.preload = build / "tests/bench/through_unix.so"
        self.folder = folder
        self.stack = stack
        self.made = {}
        url = urllib.parse.urlparse(os.environ["AMQP_URL"])
        port = os.environ["LEVERET_TEST_MANAGEMENT_PORT_0"]
        authority = pathlib.Path(os.environ["LEVERET_TEST_CERTIFICATES_0"], "ca.pem")
        tls = f"{url.username}:{url.password}@127.0.0.1:{os.environ['LEVERET_TEST_AMQPS_PORT_0']}"
        self.urls = [os.environ["AMQP_URL"], f"amqps://{tls}{url.path}?cacertfile={authority}"]  # plain, TLS
        self.rabbitmq = sides.Broker()
        self.management = sides.Management(
            port, self.rabbitmq, urllib.parse.unquote(url.path[1:]) or "/")

    def once(self, key, make):
        if key not in self.made:
            self.made[key] = make()
            self.stack.callback(self.made[key].stop)
        return self.made[key]

    def null_broker(self, body):
        return self.once(("broker", body), lambda: sides.Helper(self.programs["null"], body))

    def sidecar(self, line):
        settings = {"workers": line.workers, "n_endpoints": line.n_endpoints, "memory": sides.memory_for(line)}
        body = line.body if line.side == "null" else 0
        broker = self.null_broker(body) if line.side == "null" else self.rabbitmq
        url = f"amqp://guest:guest@{broker.address}/" if line.side == "null" else self.urls[line.is_tls]
        key = (line.side, body, line.is_tls, *settings.values())
        name = "-".join(map(str, key))
        return self.once(key, lambda: sides.Sidecar(
            self.programs, self.folder, name, url, broker, **settings))

    def side(self, line):
        if line.side == "ceiling":
            return self.once(("ceiling", line.body),
                             lambda: sides.Helper(self.programs["ceiling"], line.body))
        return self.management if line.side == "management" else self.sidecar(line)

    def body_file(self, line):
        """What wrk posts for a line, or None."""
        file = pathlib.Path(self.folder, f"{line.side}-{line.request}-{line.body}")
        content = None
        if line.side == "management":
            content = json.dumps(
                {"properties": {"delivery_mode": 2}, "routing_key": "classic",
                 "payload": "x" * line.body, "payload_encoding": "string"}
                if not line.is_get else
                {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"})
        elif not line.is_get:
            content = "x" * line.body
        if content is not None:
            file.write_text(content)
        return file if content is not None else None


def wrk_environment(stage, line, side):
    body = stage.body_file(line)
    env = {"BENCH_METHOD": "POST" if body else "GET"}
    if body:
        env["BENCH_BODY"] = str(body)
    if line.pause_ms:
        env["BENCH_PAUSE_MS"] = str(line.pause_ms)
    if line.side == "management":
        env["BENCH_AUTHORIZATION"] = side.authorization
        if line.is_get:
            env["BENCH_REFUSED_BODY"] = EMPTY_LIST
    if line.transport == "unix":
        env["LD_PRELOAD"] = str(stage.preload)
        env["LEVERET_BENCH_UNIX"] = side.unix
    return {**os.environ, **env}


def wrk(stage, line, side, seconds):
    """One load; returns what wrk says. It takes whole seconds only: SIGINT ends it sooner, and a wrk
    that was so slow to start that it had nothing to tell is run again for longer."""
    command = ["wrk", "-t1", f"-c{line.connections}", f"-d{int(seconds) + 1}s", "--timeout", "30s",
               "-s", str(HERE / "wrk.lua"), f"http://{side.address}{side.paths[line.request]}"]
    process = subprocess.Popen(command, env=wrk_environment(stage, line, side),
                               stdout=subprocess.PIPE, text=True)
    try:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=WRK_S)
    finally:
        process.kill()
        process.wait()
    told = [json.loads(text) for text in output.splitlines() if text.startswith('{"requests"')]
    if told and told[0]["requests"] > 0:
        return told[0]
    if seconds > WRK_S / 4:
        raise RuntimeError(f"wrk tells nothing: {line.name}: {output}")
    return wrk(stage, line, side, seconds * 2)


def idle_connections(line, side):
    """Open connections without a request, all of which have been accepted."""
    host, port = side.address.split(":")
    held = [socket.create_connection((host, int(port)), sides.START_S) for _ in range(line.n_idle)]
    sides.request(side.address, "GET", "/__health")  # accepted in turn, so after all of them
    return held


def warm_up(line, side):
    """One publish, so that no round pays for opening a channel and declaring."""
    status = sides.request(side.address, "POST", side.paths[line.request], b"{}")
    if status not in (200, 202):
        raise RuntimeError(f"{line.name}: {status}")


def fill(stage, line, seconds, rate):
    """Puts more on the queue than a round can take off it; returns how many."""
    post = bench_lines.Line("rabbitmq", "produce", 256, line.body)
    n = 0
    for _ in range(FILL_TRIES):
        told = wrk(stage, post, stage.side(post), min(seconds, 1))
        n += told["requests"] - told["refused"]
        if n > 2 * rate * seconds + line.connections:
            break
    return n


def measure(stage, line, seconds, rate):
    """A line's figures in one round. What was refused counts as cost and not as a request, so that a
    503, which is cheap, makes nothing look good; only the percentiles have it among them."""
    side = stage.side(line)
    is_draining = line.is_get and line.side in FIRST_RATES
    n_queued = fill(stage, line, seconds, rate) if is_draining else None
    if line.side in ("null", "rabbitmq") and not line.is_get:
        warm_up(line, side)
    held = idle_connections(line, side) if line.n_idle else []
    pids, broker_pids = side.pids(), side.broker.pids() if side.broker else []
    before, broker_before = sides.cpu_ns(pids), sides.cpu_ns(broker_pids)
    told = wrk(stage, line, side, seconds)
    used, broker_used = sides.cpu_ns(pids) - before, sides.cpu_ns(broker_pids) - broker_before
    pss = sides.pss_kib(pids)
    for connection in held:
        connection.close()
    if line.side in FIRST_RATES:
        for queue in ("bench-classic", "bench-quorum", "bench-transient"):
            stage.management.purge(queue)
    n = told["requests"] - told["refused"]
    if n <= 0:
        raise RuntimeError(f"{line.name}: nothing but refusals: {told}")
    return {
        "cpu_us": used / n / 1000 if pids else None,
        "broker_us": broker_used / n / 1000 if side.broker else None,
        "per_s": n / told["us"] * 1e6,
        "p50_us": told["p50_us"], "p99_us": told["p99_us"], "p99.9_us": told["p99.9_us"],
        "pss_mib": pss / 1024 if pids else None,
        "bad": told["refused"] + told["lost"],
        "is_dry": n_queued is not None and n + line.connections >= n_queued,
    }


def compare(figures, line):
    """A line with its ceiling, and with the one that it differs from, round by round."""
    for mine, bare in zip(figures[line], figures[line.ceiling]):
        mine["times_bare_per_s"] = mine["per_s"] / bare["per_s"]
        mine["added_p50_us"] = mine["p50_us"] - bare["p50_us"]
        if mine["cpu_us"] is not None:
            mine["times_bare"] = mine["cpu_us"] / bare["cpu_us"]
    for mine, other in zip(figures[line], figures[line.other] if line.other else []):
        mine["times_other"] = mine["cpu_us"] / other["cpu_us"]
        mine["added_us"] = mine["cpu_us"] - other["cpu_us"]


def medians(rounds):
    result = {}
    for key in rounds[0]:
        values = [figures[key] for figures in rounds if figures.get(key) is not None]
        if key in ("bad", "is_dry"):
            result[key] = sum(values)
        elif values:
            result[key] = statistics.median(values)
            result[key + "_range"] = [min(values), max(values)]
    return result


def starts(stage, n):
    """Start to the first 200, and memory before any load, of sidecars that come and go."""
    found = []
    broker = stage.null_broker(120)
    for i in range(n):
        sidecar = sides.Sidecar(stage.programs, stage.folder, f"start-{i}",
                                f"amqp://guest:guest@{broker.address}/", broker)
        found.append({"start_ms": sidecar.start_ms, "idle_pss_mib": sidecar.idle_pss_kib / 1024})
        sidecar.stop()
    return medians(found)


def floors(stage, n):
    """The hop through a lane, and what one more copy of a body costs."""
    found = []
    for _ in range(n):
        told = subprocess.run([stage.programs["floor"], str(bench_lines.BODIES["1MiB"])],
                              capture_output=True, text=True, check=True, timeout=FLOOR_S).stdout
        found.append(json.loads(told))
    return medians(found)


COLUMNS = [("cpu_us", "CPU us", 7, 2), ("times_bare", "x bare", 7, 2), ("times_other", "x other", 8, 2),
           ("per_s", "req/s", 8, 0), ("times_bare_per_s", "of bare", 7, 2),
           ("p50_us", "p50 us", 8, 0), ("p99_us", "p99 us", 8, 0), ("p99.9_us", "p99.9 us", 9, 0),
           ("pss_mib", "PSS MiB", 8, 1), ("broker_us", "broker us", 10, 2), ("bad", "bad", 6, 0)]


def print_table(table):
    width = max(len(line.name) for line in table)
    print(" " * width, *(f"{title:>{n}}" for _, title, n, _ in COLUMNS))
    for line, figures in table.items():
        cells = [f"{figures[key]:{n}.{digits}f}" if key in figures else f"{'-':>{n}}"
                 for key, _, n, digits in COLUMNS]
        print(f"{line.name:{width}}", *cells, "(queue ran dry)" if figures.get("is_dry") else "")


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": model[1] if model else platform.machine(), "n_cpus": os.cpu_count(),
            "kernel": platform.release(), "load_before": os.getloadavg()[0]}


def parse(argv):
    def numbers(text):
        return [bench_lines.BODIES.get(part) or int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of a line in a round; 1.5, with --all 1")
    parser.add_argument("--all", action="store_true", help="the whole matrix, which the next four narrow")
    parser.add_argument("--bodies", type=numbers, default=list(bench_lines.BODIES.values()))
    parser.add_argument("--connections", type=numbers, default=bench_lines.CONNECTIONS)
    parser.add_argument("--workers", type=numbers, default=bench_lines.WORKERS)
    parser.add_argument("--transports", type=lambda text: text.split(","), default=["tcp", "unix"])
    parser.add_argument("--only", default="", help="lines whose name has this regular expression")
    parser.add_argument("--build", type=pathlib.Path, default="build-bench", help="a folder where it is built")
    parser.add_argument("--json", type=pathlib.Path, help="where the table goes too; bench.json in that folder")
    options = parser.parse_args(argv)
    options.json = options.json or options.build / "bench.json"
    options.seconds = options.seconds or (1 if options.all else 1.5)
    return options


def chosen(options):
    all_lines = bench_lines.matrix(options.bodies, options.connections, options.workers, options.transports) \
        if options.all else bench_lines.telling()
    wanted = [line for line in all_lines if re.search(options.only, line.name)]
    pairs = [[line.other, line] if line.other else [line] for line in wanted]  # what is compared, next to it
    return list(dict.fromkeys([*(line.ceiling for line in wanted), *itertools.chain(*pairs)]))


def run(stage, options):
    lines = chosen(options)
    figures = {line: [] for line in lines}
    rates = {}
    for i in range(options.rounds):
        for line in lines:
            print(f"round {i + 1}/{options.rounds}  {line.name}", file=sys.stderr)
            rate = rates.get(line, FIRST_RATES.get(line.side, 0))
            figures[line].append(measure(stage, line, options.seconds, rate))
            rates[line] = figures[line][-1]["per_s"]
    for line in lines:
        compare(figures, line)
    return {line: medians(figures[line]) for line in lines}


def main():
    options = parse(sys.argv[1:])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    about = machine()
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="leveret-bench-"))
        stage = Stage(options.build.resolve(), folder, stack)
        start = starts(stage, options.rounds)
        floor = floors(stage, options.rounds)
        table = run(stage, options)
    print(f"{about['cpu']}, {about['n_cpus']} CPUs, nothing pinned, load {about['load_before']:.1f} before;"
          f" medians of {options.rounds} rounds of {options.seconds:g} s, {time.monotonic() - begun:.0f} s in all")
    print_table(table)
    print(f"start to the first 200: {start['start_ms']:.0f} ms; PSS after it: {start['idle_pss_mib']:.1f} MiB")
    print(f"the hop alone: {floor['hop_ns']:.0f} ns; between two processes that sleep: p50"
          f" {floor['hop_p50_us']:.1f} us, p99 {floor['hop_p99_us']:.1f} us, {floor['hop_cpu_us']:.1f} us of CPU;"
          f" one copy of 1 MiB: {floor['copy_us']:.0f} us\n")
    verdicts = bars.judge(bars.Run(table, start, floor))
    bars.print_verdicts(verdicts)
    rows = [{"name": " ".join(line.name.split()), **vars(line), **table[line]} for line in table]
    options.json.write_text(json.dumps(
        {"machine": about, "rounds": options.rounds, "seconds": options.seconds, "start": start, "floor": floor,
         "lines": rows, "bars": verdicts}, indent=1) + "\n")
    print(f"written to {options.json}")


if __name__ == "__main__":
    main()
