"""`rfmeta export`: write a deployment package of a trained model, which scores without PyTorch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say
from rfmeta_dist.core.errors import ConfigError, PackageError

if TYPE_CHECKING:
    from rfmeta_dist.storage.store import Store

EXAMPLES = """
[bold]Examples[/]

  rfmeta export runs/oci_to_m --out deployed/oci_to_m

  rfmeta export models/shop --out deployed/shop     [dim]# a model with a threshold of your own[/]

  rfmeta export runs/oci_to_m --int8 --out deployed/oci_to_m-int8

  rfmeta export runs/oci_to_m --shards s3://faces/shards --out s3://models/oci_to_m

The package has one ONNX file from pixels to score, thresholds, and a model card. It is written only if its
scores equal those of the trained model. An int8 model is smaller and faster, its scores differ, and it gets
thresholds of its own, so it is a package of its own. The run or model that was given stays as it is.
"""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def export(
    model: Annotated[
        str,
        typer.Argument(help="A run's folder, or the folder of a model, local or s3://…", show_default=False),
    ],
    out: Annotated[
        str, typer.Option(help="Folder for the deployment package; it must be empty.", show_default=False)
    ],
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Convert the model to int8, with thresholds of its own; needs the shards."),
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the package; the run's if not given. int8 adds -int8 to it.")
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Where the sources' shards are, if not where the run read them."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a deployment package of a trained model: one ONNX file, thresholds, and a model card."""
    from rfmeta_dist.cli.score_tables import model_folder
    from rfmeta_dist.deploy import package as deployment
    from rfmeta_dist.detectors import package
    from rfmeta_dist.storage.store import open_store

    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(
            f"--name {name!r} cannot be the name of a package",
            "use at most 100 letters, digits, dots, underscores and hyphens, and begin with a letter or digit",
        )
    given, target = open_store(model), open_store(out)
    deployment.require_empty(target)  # before PyTorch is imported, which takes seconds
    folder = model_folder(model)
    found = package.read(folder)
    if found.kind == "features":
        raise PackageError(
            f"the model at {folder.url} is a classifier of hand-made features, but export writes networks",
            f"it needs no export: score with the model itself, rfmeta score {folder.url} FOLDER",
        )
    run: Store | None = given if folder.url != given.url else None

    from rfmeta_dist.export.deployment import export as make
    from rfmeta_dist.export.work import Order

    result = make(Order(found, run, name, int8, shards), target, _quiet if json else say)
    if json:
        print_json(result)
    else:
        _tell(result)


def _quiet(_: str) -> None:
    """Print no progress."""


def _tell(result: dict[str, Any]) -> None:
    checked = result["checked"]
    frame, video = (result["thresholds"][unit] for unit in ("frame", "video"))
    say(
        f"the deployment package {result['name']} ({result['precision']}) is at {result['package']}; its model "
        f"has {result['bytes'] / 1e6:.1f} MB",
        f"compared with PyTorch on {checked['crops']} crops ({checked['on']}): the largest difference of a "
        f"score is {max(checked['difference']):.1e}, and {checked['flipped']} verdicts differ",
        *(
            f"it accepts a {what} as live if its score is at least {rule['value']:.4f} ({rule['source']})"
            for what, rule in (("picture", frame), ("video", video))
        ),
    )
    if result["int8"]:
        auc, apart = result["int8"]["auc"]["video"], result["int8"]["distance"]
        say(
            "int8 changes the AUC on the sources' validation splits, per video, from "
            f"{100 * auc['fp32']:.1f} % to {100 * auc['int8']:.1f} %; scores move by {apart['mean']:.3f} on "
            f"average and by {apart['largest']:.3f} at most"
        )
    say(*result["notes"])
    say(f"what it is for, its figures and its limits are in {result['package']}/card.md")
