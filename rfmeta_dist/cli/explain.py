"""`rfmeta explain`: show why a judged run decides as it does, on faces of its target."""

from __future__ import annotations

from typing import Annotated

import typer

from rfmeta_dist.cli.run import RunFolder
from rfmeta_dist.cli.terminal import Json, print_json, say

EXAMPLES = """
[bold]Examples[/]

  rfmeta evaluate runs/oci_to_m     [dim]# a run must have been judged[/]

  rfmeta explain runs/oci_to_m

  rfmeta explain runs/oci_to_m --beside runs/oci_to_m-no_meta     [dim]# the same faces, two models[/]

The page shows faces: if the data show real people, so does the page. The ledger of each run gets a line that
faces of its target were looked at, unless it has one.
"""


def explain(
    run: RunFolder,
    beside: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Folder of another run with the same target, to show what it says of the same faces.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show why a run decides as it does: its worst mistakes with activation maps and depth, and its features.

    Writes explanation.html and, with the numbers of the page, explanation.json into the run's folder.
    """
    from rfmeta_dist.storage.store import open_store

    folder = open_store(run)
    folders = [folder] if beside is None else [folder, open_store(beside)]

    from rfmeta_dist.cluster.explaining import explain_here
    from rfmeta_dist.report import explanation

    found = explain_here(folders)
    page = explanation.render(found)
    folder.write(explanation.NUMBERS, explanation.numbers(found))
    folder.write(explanation.PAGE, page.encode())
    where, numbers = (f"{folder.url}/{name}" for name in (explanation.PAGE, explanation.NUMBERS))
    if json:
        wrong = {kind.name: {"recordings": kind.recordings, "wrong": list(kind.wrong)} for kind in found.kinds}
        print_json({"explanation": where, "numbers": numbers, "target": found.target, "types": wrong})
        return
    counts = ", ".join(f"{kind.wrong[0]} of {kind.recordings} {kind.name}" for kind in found.kinds)
    say(
        f"recordings of {found.target} that the run decides wrongly: {counts}", f"wrote the explanation {where}"
    )
