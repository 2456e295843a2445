"""Score pictures on a few threads. Some more may wait in turn; those beyond are refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rfmeta_dist.deploy.service.refusal import busy

if TYPE_CHECKING:
    from rfmeta_dist.deploy.results import Result
    from rfmeta_dist.deploy.service.limits import Limits


class Workers:
    """Threads that score pictures.

    Args:
        score: scores the content of a file; called by several threads at the same time.
        limits: number of threads, and of pictures that may wait.

    Attributes:
        at_work: pictures that are being scored.
        waiting: pictures that wait for a thread.
    """

    def __init__(self, score: Callable[[bytes], Result], limits: Limits) -> None:
        self._score, self._limits = score, limits
        self._pool = ThreadPoolExecutor(limits.threads, "score")
        self._free = asyncio.Semaphore(limits.threads)
        self.at_work = self.waiting = 0

    def require_room(self) -> None:
        """Raise a Refusal if no further picture may wait."""
        if self.waiting >= self._limits.waiting:
            raise busy()

    async def score(self, picture: bytes, gone: Callable[[], Awaitable[bool]]) -> Result | None:
        """Score a picture when its turn has come.

        Args:
            picture: content of the file.
            gone: returns True if nobody waits for the answer any more.

        Returns:
            The result; None if nobody waits for it, and the picture was not scored.

        Raises:
            Refusal: too many pictures are waiting.
            PictureError, ScoreError: as `Scorer.score` raises them.
        """
        self.require_room()
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.at_work += 1
        try:
            if await gone():
                return None
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._score, picture)
        finally:
            self.at_work -= 1
            self._free.release()
