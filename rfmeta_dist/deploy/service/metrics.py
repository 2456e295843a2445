"""Count what the service does, for Prometheus. No name, address or picture becomes part of a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from rfmeta_dist import __version__
from rfmeta_dist.deploy.results import REASONS, Scored

if TYPE_CHECKING:
    from rfmeta_dist.deploy.package import Deployment
    from rfmeta_dist.deploy.results import Result
    from rfmeta_dist.deploy.service.workers import Workers

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SCORES = tuple(round(0.05 * step, 2) for step in range(1, 21))


class Metrics:
    """The metrics of one service.

    Args:
        package: the model, which a metric names.
        workers: what scores; asked how much it has to do.
    """

    def __init__(self, package: Deployment, workers: Workers) -> None:
        own = self._registry = CollectorRegistry()
        ProcessCollector(registry=own)
        self._requests = Counter(
            "rfmeta_requests",
            "Answered POST /score, by outcome and HTTP status.",
            ("outcome", "status"),
            registry=own,
        )
        self._seconds = Histogram(
            "rfmeta_request_seconds",
            "Seconds from the head of a POST /score to its answer, with waiting.",
            buckets=_SECONDS,
            registry=own,
        )
        self._refused = Counter(
            "rfmeta_refused", "Faces that were not scored, by reason.", ("reason",), registry=own
        )
        self._scores = Histogram(
            "rfmeta_score", "Scores: probability that the face is live.", buckets=_SCORES, registry=own
        )
        for name, words, value in (
            ("rfmeta_pictures_in_work", "Pictures that are being scored.", lambda: workers.at_work),
            ("rfmeta_pictures_waiting", "Pictures that wait for a thread.", lambda: workers.waiting),
        ):
            Gauge(name, words, registry=own).set_function(value)
        about = Gauge("rfmeta_package", "The model; always 1.", ("name", "sha256", "version"), registry=own)
        about.labels(package.name, package.sha256, __version__).set(1)

    def result(self, result: Result) -> None:
        """Count a picture that was scored or refused."""
        if isinstance(result, Scored):
            self._scores.observe(result.score)
        else:
            self._refused.labels(result.reason if result.reason in REASONS else "other").inc()

    def request(self, outcome: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            outcome: `live`, `attack`, `refused`; `invalid` for bytes that are no picture, `busy`, `failed`, or
                `gone` if the client did not wait.
            status: of the HTTP answer.
            seconds: from its head to its answer.
        """
        self._requests.labels(outcome, str(status)).inc()
        self._seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self._registry)
