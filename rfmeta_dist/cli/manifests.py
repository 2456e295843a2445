"""`rfmeta manifests`: check job specs and Kubernetes manifests without a cluster."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say, show
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rfmeta_dist.manifests.check import Finding

EXAMPLES = """
[bold]Examples[/]

  rfmeta manifests job.yaml

  rfmeta manifests manifests/                    [dim]# all files of a folder[/]

  kubectl kustomize overlays/gpu | rfmeta manifests -

  rfmeta manifests job.yaml --plain-cluster      [dim]# a job spec for rfmeta submit alone[/]

Each line is one finding: file, line, kind, field, problem, remedy. An error is something that Kubernetes or
KubeRay refuses. A risk is accepted, but gives a credential or the cluster to others, or does not do what it
says. Both make the exit code 2; advice does not.
"""


def manifests(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files, folders whose files *.yaml are checked, or - for standard input.",
            show_default=False,
        ),
    ],
    plain_cluster: Annotated[
        bool,
        typer.Option(
            "--plain-cluster",
            help="Check a job spec for `rfmeta submit` alone, which needs no description of a cluster.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check job specs and Kubernetes manifests without a cluster: fields, rules, credentials, permissions."""
    from rfmeta_dist.manifests.check import findings

    found: list[Finding] = []
    texts = [text for path in paths for text in _texts(path)]
    for name, text in texts:
        found += findings(text, name, "submit" if plain_cluster else "apply")
    kinds = Counter(finding.kind for finding in found)
    if json:
        print_json({"files": len(texts), "findings": [vars(finding) for finding in found]})
    elif found:
        show(*map(str, found))
    if kinds["error"] or kinds["risk"]:
        raise ConfigError(
            f"the manifests have {kinds['error']} error(s) and {kinds['risk']} risk(s)",
            "correct what each line above names",
        )
    say(f"{len(texts)} file(s) checked, without error or risk")


def _texts(path: str) -> list[tuple[str, str]]:
    """Return name and text of each file at a path."""
    from rfmeta_dist.manifests.files import manifest_files, read

    if path == "-":
        data = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
        try:
            return [("standard input", data.decode("utf-8-sig"))]
        except UnicodeDecodeError as error:
            raise ConfigError("standard input is not text in UTF-8", "give text in UTF-8") from error
    files, left_out = manifest_files(Path(path))
    for reason, some in left_out.items():
        first = ", ".join(str(file.relative_to(path)) for file in some[:3])
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        say(f"not checked, {reason}: {first}{more}", style="")
    return [(str(file), read(file)) for file in files]
