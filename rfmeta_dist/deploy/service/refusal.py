"""Define the errors that the service answers a request with."""

from __future__ import annotations

from starlette.responses import JSONResponse

BUSY = 503
RETRY_S = 1  # seconds after which a client may try again if the service is busy


class Refusal(Exception):  # noqa: N818
    """A request that gets an error as its answer.

    Args:
        status: of HTTP, from 400.
        problem: what is wrong with the request.
        remedy: what the client can do.
    """

    def __init__(self, status: int, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.remedy = status, problem, remedy

    def response(self) -> JSONResponse:
        """Return the answer, after which the connection is closed: the rest of the body is not read."""
        headers = {"Connection": "close"} | ({"Retry-After": str(RETRY_S)} if self.status == BUSY else {})
        return JSONResponse({"error": self.problem, "remedy": self.remedy}, self.status, headers)


def busy() -> Refusal:
    """Return the error for a request beyond what the service can take now."""
    return Refusal(
        BUSY,
        "too many pictures are waiting already",
        f"try again after {RETRY_S} second, or add another server",
    )
