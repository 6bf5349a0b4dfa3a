# SPDX-License-Identifier: Apache-2.0
"""The lines of the bench: which request to which side, over how many connections."""

import dataclasses
import itertools

BODIES = {"120B": 120, "4KiB": 4 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20}
CONNECTIONS = [1, 8, 64, 256, 4096]
WORKERS = [1, 2, 4]
FEW_ENDPOINTS, MANY_ENDPOINTS = 2, 2000
BROKER_PACE_MS = 8  # 64 clients that pause so long ask about as often as RabbitMQ answers them
IN_FLIGHT_BYTES = 256 << 20  # a line with more than this in flight is left out of the matrix


@dataclasses.dataclass(frozen=True)
class Line:
    side: str  # ceiling, null, rabbitmq, management
    request: str = "produce"  # or consume; on rabbitmq also quorum, transient
    connections: int = 64
    body: int = 120
    workers: int = 1
    transport: str = "tcp"  # or unix
    n_idle: int = 0  # more connections, without a request
    n_endpoints: int = 0  # of a file that has one producer, in the middle of consumers; 0: the bench's own
    pause_ms: int = 0  # of each client before its next request
    is_tls: bool = False  # to the broker

    @property
    def is_get(self):
        return self.request == "consume"

    @property
    def name(self):
        words = [f"{self.side:10} {self.request:9} {self.body:>7} B  {self.connections:>4} c"]
        if self.workers > 1:
            words.append(f"{self.workers} workers")
        if self.transport != "tcp":
            words.append(self.transport)
        if self.n_idle:
            words.append(f"+{self.n_idle} idle")
        if self.n_endpoints:
            words.append(f"{self.n_endpoints} endpoints")
        if self.pause_ms:
            words.append(f"pause {self.pause_ms} ms")
        if self.is_tls:
            words.append("TLS")
        return "  ".join(words)

    @property
    def shape(self):
        """What a line and the ceiling that it is compared with have in common."""
        return (self.is_get, self.connections, self.body, self.pause_ms)

    @property
    def ceiling(self):
        return Line("ceiling", "consume" if self.is_get else "produce", self.connections, self.body,
                    pause_ms=self.pause_ms)

    @property
    def other(self):
        """The line from which this one differs in nothing but what it is about; or None."""
        if self.n_idle:
            return dataclasses.replace(self, n_idle=0)
        if self.n_endpoints > FEW_ENDPOINTS:
            return dataclasses.replace(self, n_endpoints=FEW_ENDPOINTS)
        if self.is_tls:
            return dataclasses.replace(self, is_tls=False)
        return None


def telling():
    """The most telling ones, for a run of a few minutes."""
    lines = [
        Line("null"),
        Line("null", "consume"),
        Line("null", connections=1),
        Line("null", "consume", connections=1),
        Line("null", transport="unix"),
        Line("null", workers=2),
        Line("null", workers=4),
        Line("null", n_idle=4096),
        Line("null", n_endpoints=FEW_ENDPOINTS),
        Line("null", n_endpoints=MANY_ENDPOINTS),
        Line("null", connections=4096, workers=2),  # with one worker, a window of 2,048 refuses some
        Line("null", body=1 << 20, connections=8),
        Line("null", pause_ms=BROKER_PACE_MS),
        Line("null", "consume", pause_ms=BROKER_PACE_MS),
        Line("rabbitmq"),
        Line("rabbitmq", "quorum"),
        Line("rabbitmq", "transient"),
        Line("rabbitmq", "transient", is_tls=True),
        Line("rabbitmq", "consume"),
        Line("management"),
        Line("management", "consume"),
    ]
    return with_ceilings(lines)


def matrix(bodies, connections, workers, transports):
    """Every combination against the null broker, and the real one's lines."""
    lines = []
    for body, n, n_workers, transport, way in itertools.product(
            bodies, connections, workers, transports, ("produce", "consume")):
        if body * n <= IN_FLIGHT_BYTES:
            lines.append(Line("null", way, n, body, n_workers, transport))
    for body, n, way in itertools.product(
            bodies, connections, ("produce", "quorum", "transient", "consume")):
        if body * n <= 16 << 20 and body <= 4096:
            lines.append(Line("rabbitmq", way, n, body))
    for way in ("produce", "consume"):
        lines.append(Line("management", way))
    return with_ceilings(lines)


def with_ceilings(lines):
    ceilings = {line.ceiling: None for line in lines}
    return [*ceilings, *lines]
