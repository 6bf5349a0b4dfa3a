# SPDX-License-Identifier: Apache-2.0
"""`leveret run` on the private broker of with_broker, and what is done to either."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading

PATIENCE_S = 30

# enum broker_action of tests/support/broker_control.h
BROKER_START, BROKER_KILL = 0, 2

CONFIGURATION = {
    "version": 3, "name": "orders <b>& co</b>", "timeout": "5s",
    "extra_config": {"leveret": {"workers": 2}},
    "endpoints": [
        {"endpoint": "/orders/{region}", "method": "POST", "backend": [{"extra_config": {
            "backend/amqp/producer": {"exchange": "dashboard", "durable": True, "mandatory": True,
                                      "routing_key": "Region"}}}]},
        {"endpoint": "/orders", "backend": [{"extra_config": {
            "backend/amqp/consumer": {"name": "dashboard-orders", "exchange": "dashboard", "durable": True,
                                      "routing_key": ["eu"], "prefetch_count": 10}}}]},
    ],
}


def broker_do(action):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.connect("\0" + os.environ["LEVERET_TEST_BROKER_CONTROL"])
        control.send(struct.pack("BB", action, 0))
        if not control.recv(2):
            raise RuntimeError(f"with_broker failed at action {action}")


class Sidecar:
    """`admin_port` 0: any that is free."""

    def __init__(self, leveret, folder, admin_port=0):
        file = pathlib.Path(folder, "dashboard.json")
        file.write_text(json.dumps({**CONFIGURATION, "host": [os.environ["AMQP_URL"]]}))
        self.process = subprocess.Popen(
            [leveret, "run", "-c", file, "-p", "0", "--admin", f"127.0.0.1:{admin_port}"],
            stderr=subprocess.PIPE, text=True, errors="replace")
        self.log = []
        serving = next((line for line in self.lines() if "serving addresses=" in line), None)
        if not serving:
            raise RuntimeError("leveret does not start: " + "".join(self.log))
        self.port = int(re.search(r" port=(\d+)", serving)[1])
        self.admin_port = int(re.search(r" admin=\"?[^ ]*:(\d+)", serving)[1])
        threading.Thread(target=lambda: [None for _ in self.lines()], daemon=True).start()

    def lines(self):
        for line in self.process.stderr:
            self.log.append(line)
            yield line

    def ask(self, port, method, path, body=None):
        """Status, fields, body."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def send(self, n, method, path, expected):
        for i in range(n):
            status, _, body = self.ask(self.port, method, path, b'{"order":1}' if method == "POST" else None)
            if status != expected:
                raise AssertionError(f"{method} {path}: {status} where {expected} was due: {body!r}")

    def look(self, path):
        return self.ask(self.admin_port, "GET", path)

    def figures(self):
        return json.loads(self.look("/__stats/")[2])

    def process_named(self, name):
        return next(each for each in self.figures()["processes"] if each["name"] == name)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
