"""Keep groups of worker processes running, so that many cases can be tried in real processes quickly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch.multiprocessing as mp

from rfmeta_dist.strategy.launch import spawn

_TEAMS: dict[int, Team] = {}


class Team:
    """`world` processes of one gloo group; each runs what it is sent, in order."""

    def __init__(self, world: int) -> None:
        context = mp.get_context("spawn")
        self.inboxes = [context.SimpleQueue() for _ in range(world)]
        self.outboxes = [context.SimpleQueue() for _ in range(world)]
        threading.Thread(target=spawn, args=(_serve, world, self.inboxes, self.outboxes), daemon=True).start()

    def run(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Return what `function(*arguments)` returned on each rank, or raise its exception."""
        for inbox in self.inboxes:
            inbox.put((function, arguments))
        results = [outbox.get() for outbox in self.outboxes]
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results


def team(world: int) -> Team:
    """Return the team of this size; it is started at the first call."""
    if world not in _TEAMS:
        _TEAMS[world] = Team(world)
    return _TEAMS[world]


def dismiss() -> None:
    """End all teams."""
    for each in _TEAMS.values():
        for inbox in each.inboxes:
            inbox.put(None)
    _TEAMS.clear()


def _serve(inboxes: list[Any], outboxes: list[Any]) -> None:
    import torch

    from rfmeta_dist.strategy.ddp import DDP

    torch.set_num_threads(1)
    rank = DDP().rank
    inbox, outbox = inboxes[rank], outboxes[rank]
    while (order := inbox.get()) is not None:
        function, arguments = order
        try:
            outbox.put(function(*arguments))
        except Exception as error:  # noqa: BLE001  the test should see it
            outbox.put(error)
