"""Follow a job that a cluster has accepted: pass on its log, and return the exit code of its driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rfmeta_dist.cluster.jobs import limits
from rfmeta_dist.cluster.jobs.client import first_line, is_unknown
from rfmeta_dist.core.errors import ClusterError

Say = Callable[[str], None]


def come_back(identifier: str, address: str) -> str:
    """Return the words that say how to follow a job again."""
    return f"follow it with: rfmeta jobs logs {identifier} --follow --address {address}"


def exit_code(info: Any) -> int:
    """Return the exit code for a job that has ended: 0 if it succeeded, 143 if stopped, else its driver's.

    If signal N ended the driver, Ray says -N, and the exit code is 128 + N, as a shell gives it.

    Args:
        info: Ray's JobDetails. A job that failed before its driver ran has no exit code there; it gets 1.
    """
    ends = {"SUCCEEDED": 0, "STOPPED": limits.STOPPED}
    code = int(ends.get(info.status.value, info.driver_exit_code or 1))
    return code if code >= 0 else 128 - code


class Follower:
    """Follows one job, and connects again if a connection is lost.

    Args:
        client: from `client.connect`.
        identifier: the job's submission id.
        address: URL of the cluster, for messages.
        on_log: called with each piece of the job's log.
        say: called with each message for the user about the job and the connection.
    """

    def __init__(self, client: Any, identifier: str, address: str, on_log: Say, say: Say) -> None:
        self._client, self._identifier, self._address = client, identifier, address
        self._come_back, self._on_log, self._say = come_back(identifier, address), on_log, say
        self._shown = 0  # characters of the log passed on; each connection sends the log from its start
        self._heard = time.monotonic()
        self._known = "submitted"  # the job's last known status
        self._said = ""
        self._reason = ""  # why the last connection failed

    async def follow(self) -> int:
        """Return the exit code of the job's driver.

        Raises:
            ClusterError: the cluster has not answered for LOST_S seconds, or no longer knows the job.
        """
        last = False
        while True:
            whole = await self._read_log()
            info = self._ask()
            if info is None or not info.status.is_terminal():
                await asyncio.sleep(limits.RETRY_S)
            elif whole or last:
                break
            else:
                last = True  # the job has ended, but its log was cut off: try once more to read the rest
        if not whole and not self._fetch_rest():
            self._say(f"the end of the log was not received ({self._reason}); {self._come_back}")
        if info.status.value == "FAILED":
            # Without an exit code, the driver never ran: the whole message is about its environment.
            whole_message = info.driver_exit_code is None and (info.message or "").strip()
            # Ray appends the log, which has been shown.
            reason = str(whole_message or first_line(info.message).partition(", last available logs")[0])
            for line in f"job {self._identifier} failed: {reason}".splitlines():
                self._say(line)
        return exit_code(info)

    async def _read_log(self) -> bool:
        """Pass on the new part of the log. Return True if the log was received to its end."""
        seen = 0
        pieces = self._client.tail_job_logs(self._identifier)
        step: asyncio.Future[str] = asyncio.ensure_future(anext(pieces))
        try:
            while True:
                over = False
                while not (await asyncio.wait([step], timeout=limits.QUIET_S))[0]:
                    # No data: the job may wait or have ended, or the connection may be broken without a notice.
                    if over:
                        step.cancel()
                    info = None if over else self._ask()
                    over = info is not None and info.status.is_terminal()
                error = None if step.cancelled() else step.exception()
                if step.cancelled() or error is not None:
                    self._reason = first_line(error or "the connection went silent")
                    return isinstance(error, StopAsyncIteration)
                piece = step.result()
                new, seen = piece[max(0, self._shown - seen) :], seen + len(piece)
                if new:
                    self._heard, self._shown = time.monotonic(), seen
                    self._on_log(new)
                step = asyncio.ensure_future(anext(pieces))
        finally:
            step.cancel()  # if a deadline ends the following

    def _fetch_rest(self) -> bool:
        """Pass on the rest of an ended job's log, asked for in one request. Return True if that worked.

        A web proxy or load balancer may refuse the stream and let this request pass.
        """
        text = None
        with suppress(Exception):  # Ray, the HTTP client and the layers below raise many kinds
            text = self._client.get_job_logs(self._identifier)
        if text is None:
            return False
        if text[self._shown :]:
            self._on_log(text[self._shown :])
        return True

    def _ask(self) -> Any:
        """Return what the cluster says about the job; None if it does not answer.

        Raises:
            ClusterError: the cluster has not answered for LOST_S seconds, or no longer knows the job.
        """
        try:
            info = self._client.get_job_info(self._identifier)
        except Exception as error:  # Ray, the HTTP client and the layers below raise many kinds
            self._reason = first_line(error)
            if is_unknown(error):
                raise ClusterError(
                    f"the cluster at {self._address} no longer knows job {self._identifier}, which was "
                    f"{self._known} when last asked about: its head has been started anew, which ends all "
                    "jobs, or the job was deleted",
                    "submit the job again; what it has written to object storage is still there",
                ) from error
            silent = time.monotonic() - self._heard
            if silent < limits.LOST_S:
                return None
            raise ClusterError(
                f"the cluster at {self._address} has not answered for {silent:.0f} s ({self._reason}); job "
                f"{self._identifier} was {self._known} when last asked about, and may still run",
                f"do not submit it again; {self._come_back}",
            ) from error
        self._heard, self._known = time.monotonic(), info.status.value
        if self._known == "PENDING" and info.message not in ("", None, self._said):
            self._said = info.message
            self._say(f"job {self._identifier} is pending: {first_line(info.message)}")
        return info
