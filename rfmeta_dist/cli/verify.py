"""`rfmeta verify`: proofs on the user's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say
from rfmeta_dist.core.errors import VerificationError

EXAMPLES = """
[bold]Examples[/]

  rfmeta verify --golden tests/numerics/rfmeta_float64.json

  rfmeta verify --golden tests/numerics/rfmeta_float64.json --workers 1,2
"""
TOLERANCE = 1e-9
SHOWN = 5


def verify(
    golden: Annotated[Path, typer.Option(help="Reference figures of the RFMeta step; see docs/golden.md.")],
    workers: Annotated[str, typer.Option(help="Numbers of processes to prove it with.")] = "1,2",
    json: Json = False,
) -> None:
    """Recompute reference figures of the distributed step in float64 and compare."""
    from rfmeta_dist.cli.leave_one_out import numbers
    from rfmeta_dist.verification import golden as proof

    reference = proof.load(golden)
    worst = {}
    for count in numbers("workers", workers, least=1):
        differences = proof.verify(reference, count)
        worst[count] = differences[0]
        say(
            f"{count} process(es): {len(differences)} figures, largest relative difference "
            f"{differences[0].relative:.2e} ({differences[0].name})"
        )
        for d in differences[1:SHOWN]:
            say(f"    then {d.relative:.2e} ({d.name})")
    if json:
        print_json({str(n): {"largest": d.relative, "figure": d.name} for n, d in worst.items()})
    failed = [n for n, d in worst.items() if not d.relative <= TOLERANCE]
    if failed:
        raise VerificationError(
            f"with {failed[0]} process(es) {worst[failed[0]].name} differs by {worst[failed[0]].relative:.2e}, "
            f"more than {TOLERANCE:.0e}",
            "this build of PyTorch or this machine computes something else: do not trust its training",
        )
