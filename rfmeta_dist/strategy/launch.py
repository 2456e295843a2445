"""Run a function in W local processes of one gloo group, for proofs and tests. Ray starts training instead."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rfmeta_dist.core import logs
from rfmeta_dist.core.errors import VerificationError


def _worker(
    rank: int,
    world: int,
    rendezvous: str,
    threads: int,
    pipe: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    logs.inherit()
    import torch
    import torch.distributed as dist

    torch.set_num_threads(threads)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world)
    try:
        pipe.send(function(*arguments))
    finally:
        dist.destroy_process_group()


def spawn(function: Callable[..., Any], world: int, *arguments: Any) -> list[Any]:
    """Call `function(*arguments)` in each of `world` new processes of one gloo group.

    Args:
        function: a function that can be imported by name, because the processes are spawned. It gets its rank
            from `DDP()`.
        world: number of processes, which divide the machine's cores among themselves.
        arguments: passed to the function in every process.

    Returns:
        The result of each process, in the order of ranks.

    Raises:
        VerificationError: a process ended before it returned a result.
    """
    import os

    import torch.multiprocessing as mp

    context = mp.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // world)
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = str(Path(folder) / "rendezvous")
        workers, pipes = [], []
        for rank in range(world):
            receive, send = context.Pipe(duplex=False)
            worker = context.Process(
                target=_worker, args=(rank, world, rendezvous, threads, send, function, arguments)
            )
            worker.start()
            send.close()
            workers.append(worker)
            pipes.append(receive)
        try:
            return [pipe.recv() for pipe in pipes]
        except EOFError:
            raise VerificationError(
                f"one of {world} local worker processes died before it returned a result",
                "read its own message above this line, and check that memory is free and that connections to "
                "127.0.0.1 are allowed",
            ) from None
        finally:
            for worker in workers:
                worker.join(timeout=30)
                worker.kill()
