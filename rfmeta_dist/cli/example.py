"""`rfmeta example`: print the configurations, job specs and domain cards that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, show
from rfmeta_dist.config.shipped import CARDS, JOBS, shipped
from rfmeta_dist.core.errors import ConfigError

EXAMPLES = """
[bold]Examples[/]

  rfmeta example                      [dim]# list the names[/]

  rfmeta example demo > demo.yaml     [dim]# a configuration, for rfmeta train[/]

  rfmeta example M > card.yaml        [dim]# the card of a generated domain, for rfmeta synth --card[/]
"""
# The files among the configurations that are for another command than `rfmeta train`.
OTHERS = {"study": "study", "retrain": "retraining"}


def example(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of the example; if not given, all names are listed.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Print an example file to start from: of a run, a study, a retraining, a job, or a generated domain."""
    files = _files()
    if name is None:
        kinds = {known: kind for known, (kind, _) in files.items()}
        if json:
            print_json(kinds)
        else:
            show(*(f"{known:14} {kind}" for known, kind in kinds.items()))
        return
    if name not in files:
        raise ConfigError(f"there is no example {name!r}", f"choose from {', '.join(files)}")
    kind, path = files[name]
    text = path.read_text(encoding="utf-8")
    if json:
        print_json({"name": name, "kind": kind, "text": text})
    else:
        show(*text.splitlines())


def _files() -> dict[str, tuple[str, Path]]:
    """Return each example's kind and path, by name. `-job` tells a job spec from another file."""
    jobs = shipped(JOBS, "configs")
    places = {"configuration": jobs / "configs", "job spec": jobs, "card": shipped(CARDS)}
    files: dict[str, tuple[str, Path]] = {}
    for kind, place in places.items():
        for file in sorted(place.glob("*.yaml")):
            name = f"{file.stem}-job" if file.stem in files else file.stem
            files[name] = (OTHERS.get(name, kind), file)
    return files
