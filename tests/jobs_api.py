"""A Jobs API on loopback for what a real head cannot be made to do: cut a log, fall silent, go away, refuse.

No Ray is behind it: a job is "running" until its log has been sent in full and its status is told to change.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LARGEST = 100 << 20  # bytes of a package, as Ray's dashboard takes


@dataclass
class JobsApi:
    """What the server does, to be set by a test, and what it was asked.

    Attributes:
        log: pieces that each connection to a log is sent from their first on.
        cut_after: pieces after which a connection breaks, one number for each connection; whole after that.
        silent: connections that send the log and then neither end nor break.
        status: that a job has from its `running`-th question on; before, RUNNING.
        starting: submissions that are turned away, as by a head that has just started.
        others: jobs that the cluster has besides those submitted, as Ray's API gives them.
        stops: whether a request to stop a job is obeyed.
        log_lost: whether a log can only be had as a stream.
        taken: whether every identifier is that of a job that the cluster has already.
        token: that each request must carry; none if empty.
        forgets_after: questions about a job that are answered; the head is a new one then, without jobs.
        gone_after: questions about a job that are answered; the server is gone then.
    """

    log: list[str] = field(default_factory=lambda: ["step 1\n", "step 2\n", "step 3\n"])
    cut_after: list[int] = field(default_factory=list)
    silent: bool = False
    running: int = 0
    status: str = "SUCCEEDED"
    code: int | None = 0
    message: str = ""
    before: str = "RUNNING"
    gone_after: int | None = None
    lose_answer: bool = False
    refuse: int | None = None
    starting: int = 0
    limit: int = LARGEST
    others: list[dict[str, Any]] = field(default_factory=list)
    stops: bool = True
    stopped: list[str] = field(default_factory=list)
    token: str = ""
    taken: bool = False
    log_lost: bool = False
    forgets_after: int | None = None
    submitted: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    asked: int = 0
    address: str = ""

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"version": "4", "ray_version": "2.60.0", "ray_commit": "", "session_name": ""}
        )

    async def submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.starting:
            self.starting -= 1
            return web.Response(status=500, text="No available agent to submit job, please try again later.")
        if self.taken:
            text = (
                f"Traceback (most recent call last):\n  …\nValueError: {body['submission_id']} already exists."
            )
            return web.Response(status=500, text=text)
        if self.refuse:
            return web.Response(status=self.refuse, text="no, for a reason")
        self.submitted.append(body)
        if self.lose_answer:
            self._hang_up(request)
        return web.json_response({"job_id": body["submission_id"], "submission_id": body["submission_id"]})

    async def tail(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        number, self.connections = self.connections, self.connections + 1
        whole = number >= len(self.cut_after)
        for piece in self.log if whole else self.log[: self.cut_after[number]]:
            await socket.send_str(piece)
        if not whole:
            self._hang_up(request)
        elif self.silent:
            await asyncio.sleep(3600)
        else:
            await socket.close()
        return socket

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The cluster's jobs by their identifiers, as Ray's API gives them."""
        over = self.asked > self.running
        if self.forgets_after is not None and self.asked > self.forgets_after:
            return {}
        status = self.status if over else self.before
        mine = {
            body["submission_id"]: job_details(
                body["submission_id"],
                status,
                message=self.message,
                code=self.code if over else None,
                metadata=body.get("metadata") or {},
                runtime_env=body["runtime_env"],
                entrypoint=body["entrypoint"],
            )
            for body in self.submitted
        }
        every = mine | {job["submission_id"] or job["job_id"]: job for job in self.others}
        ended = {"status": "STOPPED", "end_time": 1_800_000_009_000}
        return {
            name: job | (ended if name in self.stopped and self.stops else {}) for name, job in every.items()
        }

    async def listed(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.jobs().values()))

    async def logs(self, request: web.Request) -> web.Response:
        if self.log_lost:
            return web.Response(status=500, text="the node is gone")
        return web.json_response({"logs": "".join(self.log)})

    async def stop(self, request: web.Request) -> web.Response:
        self.stopped.append(request.match_info["id"])
        return web.json_response({"stopped": True})

    async def info(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.gone_after is not None and self.asked > self.gone_after:
            self._hang_up(request)
        identifier, jobs = request.match_info["id"], self.jobs()
        if identifier not in jobs:
            return web.Response(status=404, text=f"Job {identifier} does not exist")
        return web.json_response(jobs[identifier])

    async def package(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(status=404, text="Package not found")
        size = len(await request.read())
        if size > self.limit:
            return web.Response(status=413, text=f"Maximum request body size {self.limit} exceeded")
        return web.Response()

    @staticmethod
    def _hang_up(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()


def job_details(
    identifier: str,
    status: str = "RUNNING",
    *,
    start: int = 1_800_000_000,
    code: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One job as Ray's API gives it; `start` is a Unix time in seconds."""
    over = status in ("SUCCEEDED", "FAILED", "STOPPED")
    return {
        **{"type": "SUBMISSION", "job_id": None, "submission_id": identifier, "entrypoint": "x"},
        **{"status": status, "message": "", "metadata": {}, "runtime_env": {}, "driver_info": None},
        **{"start_time": start * 1000, "end_time": start * 1000 + 90_000 if over else None},
        **{"driver_exit_code": code, "error_type": None},
        **more,
    }


@contextmanager
def jobs_api(**settings: Any) -> Iterator[JobsApi]:
    """Serve a JobsApi in a thread of its own while the context is open."""
    api, loop = JobsApi(**settings), asyncio.new_event_loop()

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        if api.token and request.headers.get("Authorization") != f"Bearer {api.token}":
            return web.Response(status=401, text="Unauthorized: Missing authentication token")
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(client_max_size=1 << 40, middlewares=[guard])
    app.add_routes(
        [
            web.get("/api/version", api.version),
            web.post("/api/jobs/", api.submit),
            web.get("/api/jobs/", api.listed),
            web.get("/api/jobs/{id}/logs", api.logs),
            web.get("/api/jobs/{id}/logs/tail", api.tail),
            web.post("/api/jobs/{id}/stop", api.stop),
            web.get("/api/jobs/{id}", api.info),
            web.get("/api/packages/{protocol}/{name}", api.package),
            web.put("/api/packages/{protocol}/{name}", api.package),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        api.address = f"http://127.0.0.1:{port}"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
