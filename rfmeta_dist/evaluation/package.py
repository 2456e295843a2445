"""A model is a package: weights, how to prepare an image, thresholds with their source, and the data's hashes.

weights.safetensors   F, M and D, with recalibrated running statistics
package.json          everything else; written last, so a package without it is not one
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
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.evaluation.thresholds import Threshold
from rfmeta_dist.models.build import build
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FORMAT = 1
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
    """Write a package.

    Args:
        folder: where to.
        nets: recalibrated.
        config: the run's configuration.
        thresholds: one a unit.
        facts: step, data fingerprints and how the statistics were recalibrated.
    """
    weights = {name: tensor.cpu().contiguous() for name, tensor in nets.state_dict().items()}
    folder.write("weights.safetensors", tensor_bytes(weights))
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
    }
    folder.write("package.json", json.dumps(about, indent=1, ensure_ascii=False).encode())


def load(folder: Store) -> Package:
    """Read a package back.

    Raises:
        RunError: there is none, it is damaged, or of another format.
    """
    try:
        about = json.loads(folder.read("package.json"))
        weights = parse_tensors(folder.read("weights.safetensors"))
    except MissingError:
        raise RunError(f"there is no model at {folder.url}", "let `rfmeta train` finish first") from None
    except (ValueError, SafetensorError) as error:
        raise RunError(f"the model at {folder.url} is damaged: {error}", "train it again") from error
    if about.get("format") != FORMAT:
        raise RunError(
            f"the model at {folder.url} has format {about.get('format')}, not {FORMAT}",
            "use the version of rfmeta_dist that made it",
        )
    nets = build(Model(**{**about["networks"], "weights": None}))
    nets.load_state_dict(weights)
    thresholds = {unit: Threshold(**fields) for unit, fields in about["thresholds"].items()}
    return Package(nets.eval(), about["image_size"], thresholds, about)
