"""The options and files of the commands that read a user's table of scores: `judge` and `threshold`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rfmeta_dist.core.errors import ConfigError, PackageError, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.deploy.package import Deployment
    from rfmeta_dist.detectors.package import Contents
    from rfmeta_dist.evaluation.given_rows import Reading
    from rfmeta_dist.evaluation.tables import Table
    from rfmeta_dist.storage.store import Store

Columns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=COLUMN",
        help="Use this column of the table as video, subject, label, attack_type, split, domain, frame, "
        "key or score; may be repeated. `NAME=` uses none.",
    ),
]
LiveLabels = Annotated[
    list[str] | None,
    typer.Option(metavar="LABEL", help="Label of live rows, such as 1; every other label is an attack."),
]
HigherIs = Annotated[
    Literal["live", "attack"] | None,
    typer.Option(help="What a higher score means; live if not given, after checking that AUC agrees."),
]


def reading(
    column: Sequence[str] | None,
    live: Sequence[str] | None,
    higher_is: Literal["live", "attack"] | None,
    target: str | None = None,
) -> Reading:
    """Return how to understand a table of scores, from a command's options.

    Raises:
        ConfigError: an option `--column` does not say what its column is used for.
    """
    from rfmeta_dist.evaluation.given_rows import Reading
    from rfmeta_dist.evaluation.vocabulary import ROLES

    columns = {}
    for text in column or ():
        role, equal, name = text.partition("=")
        if not equal or role not in ROLES:
            raise ConfigError(
                f"--column {text} does not say what the column is used for",
                f"write NAME=COLUMN, where NAME is one of {', '.join(ROLES)}",
            )
        columns[role] = name
    return Reading(columns, tuple(live or ()), higher_is, target)


def read(path: str, how: Reading) -> Table:
    """Read a table of scores from a local file or an S3 object.

    Raises:
        ConfigError: the path is that of a folder.
        DataError: the file is not a table of scores (`evaluation.tables.read`).
        StorageError: the file cannot be read.
    """
    from rfmeta_dist.cli.places import place_of
    from rfmeta_dist.evaluation import given

    folder, name = place_of(path, "a table of scores, such as scores.csv")
    return given.read(folder.read(name), name, how)


def thresholds_of(model: str) -> Contents | Deployment:
    """Return the content of what stores thresholds: a run's model, a model, or a deployment package.

    Raises:
        RunError: there is none of these, or it is damaged.
    """
    from rfmeta_dist.deploy import package as deployment
    from rfmeta_dist.detectors import package
    from rfmeta_dist.storage.store import open_store

    folder = open_store(model)
    return deployment.read(folder) if folder.exists(deployment.ABOUT) else package.read(model_folder(model))


def model_folder(model: str) -> Store:
    """Return the folder of a model: the given one, or `model` in the folder of a run.

    Raises:
        PackageError: it is the folder of a deployment package.
        RunError: there is no model in either.
    """
    from rfmeta_dist.deploy import package as deployment
    from rfmeta_dist.detectors.package import ABOUT
    from rfmeta_dist.storage.store import open_store

    folder = open_store(model)
    found = next((place for place in (folder, folder.sub("model")) if place.exists(ABOUT)), None)
    if found is None and folder.exists(deployment.ABOUT):
        raise PackageError(
            f"{folder.url} is a deployment package, not a trained model",
            "give the run or the model that it was exported from",
        )
    if found is None:
        raise RunError(
            f"there is no model at {folder.url}, neither as {ABOUT} nor as model/{ABOUT}",
            "give the folder of a trained run or of a model; if the run's training has not finished, give its "
            "`rfmeta train` command again",
        )
    return found
