# SPDX-License-Identifier: Apache-2.0
"""What the bench measures: processes that are started once, stay up for the whole run, and say what
they have used. A side has an address, a path for each kind of request, and a root process."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse

START_S = 20  # for a side to answer
LEAVE_S = 15  # for it to go
IDLE_TIMEOUT = "1h"  # longer than any run: idle connections stay
MEMORY = "128MiB"  # the default
LARGE_MEMORY = "1024MiB"  # for bodies of 64 KiB and more
CROWD_MEMORY = "2048MiB"  # for more connections than the windows of three producers take in that
CROWD = 1024
MAX_CONNECTIONS = 8192


def children(pid):
    """Of a process, all the way down; those that end meanwhile are left out."""
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += [int(child), *children(int(child))]
    return found


def cpu_ns(pids):
    """User and system time of processes, from their CPU clocks (clock_getcpuclockid(3)): exact where
    /proc/PID/stat counts ticks."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime_ns((~pid << 3) | 2)
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in open(f"/proc/{pid}/smaps_rollup", encoding="ascii"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def request(address, method, path, body=None, headers=None):
    """One request on a connection of its own; returns its status."""
    connection = http.client.HTTPConnection(address, timeout=START_S)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


class Helper:
    """The ceiling or the null broker: says its port, and ends at the end of its stdin."""

    paths = {"produce": "/", "consume": "/"}
    broker = None
    unix = None

    def __init__(self, program, body_bytes):
        self.process = subprocess.Popen(
            [program, str(body_bytes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.stdin.close()
        end(self.process)


class Management:
    """RabbitMQ's own HTTP API, whose cost is the broker's."""

    unix = None

    def __init__(self, port, broker, vhost):
        self.address = f"127.0.0.1:{port}"
        self.broker = broker
        self.authorization = "Basic " + base64.b64encode(b"guest:guest").decode()
        self.vhost = urllib.parse.quote(vhost, safe="")
        self.paths = {
            "produce": f"/api/exchanges/{self.vhost}/bench/publish",
            "consume": f"/api/queues/{self.vhost}/bench-classic/get",
        }

    def pids(self):
        return []

    def purge(self, queue):
        status = request(self.address, "DELETE", f"/api/queues/{self.vhost}/{queue}/contents",
                         headers={"Authorization": self.authorization})
        if status not in (204, 404):  # nothing was ever declared for it
            raise RuntimeError(f"purging {queue}: {status}")

    def stop(self):
        pass


class Broker:
    """The private RabbitMQ."""

    def pids(self):
        root = int(os.environ["BROKER_PID"])
        return [root, *children(root)]


class Sidecar:
    """`leveret run`, on a broker."""

    paths = {"produce": "/classic", "consume": "/consume", "quorum": "/quorum",
             "transient": "/transient"}

    def __init__(self, programs, folder, name, url, broker=None, **settings):
        self.broker = broker
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.unix = f"{folder}/{name}.sock"
        file = pathlib.Path(folder, name + ".json")
        file.write_text(json.dumps(configuration(url, [self.address, "unix:" + self.unix], **settings)))
        self.log = pathlib.Path(folder, name + ".log")
        begun = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [programs["leveret"], "run", "-c", str(file), "--admin", "127.0.0.1:0"], stdout=log, stderr=log)
        try:
            self.await_up(begun)
        except BaseException:
            self.stop()
            raise

    def await_up(self, begun):
        while self.status() != 200:
            if time.monotonic() - begun > START_S or self.process.poll() is not None:
                raise RuntimeError(f"the sidecar does not answer: {self.log.read_text()}")
            time.sleep(0.001)
        self.start_ms = (time.monotonic() - begun) * 1000
        self.idle_pss_kib = pss_kib(self.pids())

    def status(self):
        try:
            return request(self.address, "POST", self.paths["produce"], b"{}",
                           {"Content-Type": "application/json"})
        except OSError:
            return 0

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        end(self.process)


def end(process):
    try:
        process.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def producer(path, key, queue_arguments=None, **settings):
    """Persistent and confirmed, unless `settings` say otherwise."""
    return {
        "endpoint": path, "method": "POST", "extra_config": {"leveret": {"max_body": "8MiB"}},
        "backend": [{"extra_config": {
            "backend/amqp/producer": {"exchange": "bench", "durable": True, "mandatory": True,
                                      "name": "bench-" + key, "static_routing_key": True, "routing_key": key},
            "leveret": {"bind": [key], "queue_arguments": queue_arguments or {}, **settings}}}]}


def consumer(path):
    return {
        "endpoint": path, "output_encoding": "no-op", "extra_config": {"leveret": {"max_body": "8MiB"}},
        "backend": [{"encoding": "no-op", "extra_config": {"backend/amqp/consumer": {
            "exchange": "bench", "durable": True, "name": "bench-classic", "routing_key": ["classic"],
            "prefetch_count": 100}}}]}


def endpoints_of(n):
    """The bench's own, or `n`: consumers, and a producer in their middle."""
    if not n:
        return [producer("/classic", "classic"),
                producer("/quorum", "quorum", {"x-queue-type": "quorum"}),
                producer("/transient", "transient", confirm=False, delivery_mode="transient"),
                consumer("/consume")]
    paths = [f"/endpoint-{i:04}" for i in range(n)]
    paths[n // 2] = "/classic"
    return [producer(path, "classic") if path == "/classic" else consumer(path) for path in paths]


def memory_for(line):
    if line.body >= 64 << 10:
        return LARGE_MEMORY
    return CROWD_MEMORY if line.connections > CROWD else MEMORY


def configuration(url, listen, workers=1, memory=MEMORY, n_endpoints=0):
    return {
        "version": 3, "timeout": "10s", "host": [url], "idle_timeout": IDLE_TIMEOUT,
        "extra_config": {"leveret": {"listen": listen, "workers": workers, "memory": memory,
                                     "max_connections": MAX_CONNECTIONS}},
        "endpoints": endpoints_of(n_endpoints)}
