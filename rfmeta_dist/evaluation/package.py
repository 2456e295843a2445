"""A model is a package: weights, how to prepare an image, thresholds with their source, and the data's hashes.

weights.safetensors   F, M and D, with recalibrated running statistics
package.json          everything else, and the SHA-256 of all files and of itself; written last, so a package
                      without it is not one
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes

from rfmeta_dist import __version__
from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.digests import OWN, digest, digest_holds, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.evaluation.thresholds import Threshold
from rfmeta_dist.models.build import build
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FORMAT = 1
ABOUT, WEIGHTS = "package.json", "weights.safetensors"
PREPROCESSING = "RGB and HSV (hue a full circle), six channels in [0, 1], no mean or deviation subtracted"


@dataclass(frozen=True)
class Package:
    """A model ready to judge images.

    Attributes:
        nets: in evaluation mode.
        image_size: side of the square crop it takes, in pixels.
        thresholds: by unit, `frame` and `video`; accept as live when score ≥ value.
        about: the whole of package.json.
    """

    nets: Networks
    image_size: int
    thresholds: dict[str, Threshold]
    about: dict[str, Any]


def save(
    folder: Store,
    nets: Networks,
    config: dict[str, Any],
    thresholds: list[Threshold],
    facts: dict[str, Any],
) -> None:
    """Write a package. Files that are in its folder already, such as a certificate, become part of it.

    Args:
        folder: where to.
        nets: recalibrated.
        config: the run's configuration.
        thresholds: one a unit.
        facts: step, data fingerprints and how the statistics were recalibrated.
    """
    weights = {name: tensor.cpu().contiguous() for name, tensor in nets.state_dict().items()}
    folder.write(WEIGHTS, tensor_bytes(weights))
    names = [name for name in folder.list() if name != ABOUT]
    about = {
        "format": FORMAT,
        "code": __version__,
        "torch": torch.__version__,
        "networks": config["model"],
        "image_size": config["data"]["image_size"],
        "preprocessing": PREPROCESSING,
        "score": "sigmoid(M(F(x))); of a video, the mean over its frames; live if score >= threshold",
        "thresholds": {t.unit: asdict(t) for t in thresholds},
        **facts,
        "config": config,
        "files": {name: digest(folder.read(name)) for name in names},
    }
    folder.write(ABOUT, json.dumps(with_digest(about), indent=1, ensure_ascii=False).encode())


def load(folder: Store) -> Package:
    """Read a package back, and check every byte of it.

    Raises:
        RunError: there is none, it is damaged, or of another format.
    """
    try:
        about = json.loads(folder.read(ABOUT))
    except MissingError:
        raise RunError(f"there is no model at {folder.url}", "let `rfmeta train` finish first") from None
    except ValueError as error:
        raise _damaged(folder, error) from error
    if not isinstance(about, dict):
        raise _damaged(folder, f"{ABOUT} is not an object")
    if about.get("format", FORMAT) != FORMAT:
        raise RunError(
            f"the model at {folder.url} has format {about['format']}, not {FORMAT}",
            "use the version of rfmeta_dist that made it",
        )
    try:
        nets = build(Model(**{**about["networks"], "weights": None}))
        nets.load_state_dict(parse_tensors(_checked(folder, about)[WEIGHTS]))
        thresholds = {unit: Threshold(**fields) for unit, fields in about["thresholds"].items()}
        return Package(nets.eval(), int(about["image_size"]), thresholds, about)
    except MissingError as error:
        raise _damaged(folder, error.problem) from error
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise _damaged(folder, error) from error


def _checked(folder: Store, about: dict[str, Any]) -> dict[str, bytes]:
    """The package's files by name, each as it was written."""
    if OWN not in about and "files" not in about:  # written before packages had hashes
        return {WEIGHTS: folder.read(WEIGHTS)}
    if not digest_holds(about):
        raise ValueError(f"{ABOUT} is not what was written")
    files = {name: folder.read(name) for name in about["files"]}
    for name, data in files.items():
        if digest(data) != about["files"][name]:
            raise ValueError(f"{name} is not what was written")
    return files


def _damaged(folder: Store, why: object) -> RunError:
    return RunError(
        f"the model at {folder.url} is damaged: {why}",
        "restore it from a backup, or delete the run's model/ folder and give the same `rfmeta train` again: "
        "it makes the model from the last checkpoint",
    )
