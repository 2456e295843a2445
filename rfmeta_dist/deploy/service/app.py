"""Define the addresses of the service: POST /score, GET /health, GET /metrics and GET /package."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rfmeta_dist import __version__
from rfmeta_dist.core.errors import PictureError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.deploy.rows import outcome, rule
from rfmeta_dist.deploy.service.bodies import Bodies, damaged
from rfmeta_dist.deploy.service.limits import MAX_PIXELS
from rfmeta_dist.deploy.service.metrics import Metrics
from rfmeta_dist.deploy.service.refusal import BUSY, Refusal
from rfmeta_dist.deploy.service.workers import Workers
from rfmeta_dist.detectors.api import ScoreError

if TYPE_CHECKING:
    from starlette.requests import Request

    from rfmeta_dist.deploy.results import Result
    from rfmeta_dist.deploy.scorer import Scorer
    from rfmeta_dist.deploy.service.limits import Limits

_KEPT_NOWHERE = {"Cache-Control": "no-store"}
_GONE = 499  # what other servers write for a client that did not wait; it is never sent
_FAILED = 500


def build(scorer: Scorer, limits: Limits) -> Starlette:
    """Return the service as an ASGI application.

    Args:
        scorer: the model.
        limits: what clients may ask of it.
    """
    service = _Service(scorer, limits)
    routes = [
        Route("/score", service.score, methods=["POST"]),
        Route("/health", service.health),
        Route("/metrics", service.metrics_text),
        Route("/package", service.package),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _not_here, Exception: _broken})


class _Service:
    def __init__(self, scorer: Scorer, limits: Limits) -> None:
        self._scorer, self._limits = scorer, limits
        self._bodies, self._workers = Bodies(limits), Workers(scorer.score, limits)
        self._metrics = Metrics(scorer.package, self._workers)

    async def score(self, request: Request) -> Response:
        start = time.perf_counter()
        said, response = await self._answered(request)
        self._metrics.request(said, response.status_code, time.perf_counter() - start)
        return response

    async def _answered(self, request: Request) -> tuple[str, Response]:
        """Return the outcome as the metrics name it, and the answer."""
        try:
            result = await self._result(request)
        except Refusal as error:
            return {BUSY: "busy", _FAILED: "failed"}.get(error.status, "invalid"), error.response()
        except ClientDisconnect:
            result = None
        if result is None:
            return "gone", Response(status_code=_GONE)
        self._metrics.result(result)
        return result.verdict, JSONResponse({"unit": "frame", **outcome(result)}, headers=_KEPT_NOWHERE)

    async def _result(self, request: Request) -> Result | None:
        self._workers.require_room()  # before the body is read, so that a busy service does little for it
        async with self._bodies.read(request) as picture:
            try:
                return await self._workers.score(picture, request.is_disconnected)
            except PictureError as error:
                raise damaged(error.problem) from error
            except ScoreError as error:
                raise Refusal(_FAILED, error.problem, error.remedy) from error

    async def health(self, _: Request) -> Response:
        # The service listens only after the model has scored once, so one that answers is ready.
        return JSONResponse({"live": True, "ready": True})

    async def metrics_text(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def package(self, _: Request) -> Response:
        return JSONResponse(facts(self._scorer, self._limits))


def facts(scorer: Scorer, limits: Limits) -> dict[str, Any]:
    """Return what a client may want to know about the model: its name, hashes, thresholds and limits."""
    package = scorer.package
    return {
        "name": package.name,
        "sha256": package.sha256,
        "scorer": package.scorer,
        "parent": package.parent,
        "kind": package.kind,
        "precision": package.precision,
        "input": package.input,
        "decision": rule(scorer.decision("frame")),
        "thresholds": {unit: _threshold(package.thresholds[unit]) for unit in UNITS},
        "operating_points": {
            unit: {name: point.value for name, point in points.items()}
            for unit, points in package.operating_points.items()
        },
        "upright": scorer.upright,
        "note": scorer.note,
        "version": __version__,
        "limits": {"body_bytes": limits.body, "pixels": MAX_PIXELS, "waiting": limits.waiting},
    }


def _threshold(threshold: Any) -> dict[str, Any]:
    return {"value": threshold.value, "source": threshold.source}


async def _not_here(request: Request, error: Exception) -> Response:
    """Answer a request for another address or with another method."""
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    remedy = "use POST /score, GET /health, GET /metrics or GET /package"
    response = Refusal(error.status_code, f"there is no {where}", remedy).response()
    response.headers.update(error.headers or {})
    return response


async def _broken(_: Request, __: Exception) -> Response:
    """Answer after an error in the service itself. Its traceback goes to stderr; it holds no picture."""
    return Refusal(_FAILED, "the service has failed", "read what it wrote to stderr, and report it").response()
