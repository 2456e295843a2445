"""Define how much one client, and all clients together, may ask of the service."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PIXELS = (
    1 << 25
)  # of one picture: 33.5 million. Decoding and turning it takes about 0.3 GB for each thread.
BODY_S = 20.0  # seconds within which the body of a request must arrive …
ARRIVAL_S = 30.0  # … and its head and body together. A connection without a whole request is then cut.
IDLE_S = 5  # seconds after which a connection without a further request is closed
END_S = 30  # seconds that requests in work get when the service is told to end
CONNECTIONS = 256  # open at the same time; each needs a file descriptor and some memory
HEAD_BYTES = 1 << 14  # of a request's line and headers
_WAITING = 8  # pictures that may wait for each thread


@dataclass(frozen=True)
class Limits:
    """Limits that a user can set, and those that follow from them.

    Attributes:
        threads: pictures that are scored at the same time.
        body: largest body in bytes.
    """

    threads: int
    body: int

    @property
    def waiting(self) -> int:
        """Return how many pictures may wait for a thread."""
        return _WAITING * self.threads

    @property
    def held(self) -> int:
        """Return how many bytes all bodies together may take."""
        return (self.threads + self.waiting) * self.body
