"""Weights that others trained, into our extractors: a safetensors file with timm's names, from the local disk.

Such a network was trained on standardised RGB, (x − mean)/std; our image is RGB and HSV in [0, 1]. The first
convolution absorbs the difference: w' = w/std on RGB, zero on HSV, b' = b − Σ w·mean/std. It has no padding,
whose zeros would mean another colour after this, so the features are exactly the pretrained network's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.models.attach import Backbone

HEAD = "head."  # the classifier, and ConvNeXt's norm before it
SHOWN = 3  # differences that an error lists


class Standard(NamedTuple):
    """Mean and standard deviation that each of R, G and B in [0, 1] was standardised with."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Standard((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def load_weights(extractor: Backbone, path: str) -> None:
    """Set all weights of the extractor but those of `attach`, which stay as they are; a classifier is ignored.

    Mean and standard deviation are those in timm's `config.json` if it lies beside the file (some of its vision
    transformers were trained with 0.5 and 0.5), and ImageNet's otherwise.

    Args:
        extractor: of any precision.
        path: a local safetensors file, of any precision.

    Raises:
        ConfigError: no such file, not safetensors, or not the weights of this network.
    """
    file = Path(path)
    found = {name: tensor for name, tensor in _read(file).items() if not name.startswith(HEAD)}
    wanted = {name: p for name, p in extractor.named_parameters() if not name.startswith("attach.")}
    weight, bias = f"{extractor.FIRST}.weight", f"{extractor.FIRST}.bias"
    shapes = {name: tuple(p.shape) for name, p in wanted.items()}
    outputs, _, *kernel = shapes[weight]
    shapes[weight] = (outputs, 3, *kernel)
    _check(file, found, shapes)
    found[weight], found[bias] = _fold(found[weight], found[bias], _standard(file))
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name])


def _fold(weight: Tensor, bias: Tensor, standard: Standard) -> tuple[Tensor, Tensor]:
    """A convolution of standardised RGB → the same of RGB and HSV in [0, 1], in float64."""
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in standard)
    rgb = weight.double() / std[:, None, None]
    return torch.cat([rgb, torch.zeros_like(rgb)], dim=1), bias.double() - rgb.sum((2, 3)) @ mean


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise ConfigError(
            f"model.weights={file} is not a file on this machine",
            "fetch it first, nothing is downloaded; or remove model.weights to start from random weights",
        )
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"model.weights={file} cannot be read as safetensors: {error}",
            "give an undamaged .safetensors file",
        ) from error


def _check(file: Path, found: dict[str, Tensor], shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise a ConfigError unless names and shapes are as they should be."""
    wrong = [f"{name} is missing" for name in shapes if name not in found]
    wrong += [f"{name} has no place" for name in found if name not in shapes]
    for name, shape in shapes.items():
        if name in found and tuple(found[name].shape) != shape:
            wrong.append(f"{name} is {_text(tuple(found[name].shape))} instead of {_text(shape)}")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ConfigError(
            f"model.weights={file} holds the weights of another network than model.backbone: "
            f"{', '.join(wrong[:SHOWN])}{more}",
            "give timm's weights of that network (a transformer's with patches of 16 for images of 224)",
        )


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _standard(file: Path) -> Standard:
    """What the file's network was standardised with."""
    beside = file.with_name("config.json")
    if not beside.exists():
        return IMAGENET
    try:
        config = json.loads(beside.read_text())["pretrained_cfg"]
        standard = Standard(*(tuple(map(float, config[key])) for key in ("mean", "std")))
    except (OSError, ValueError, KeyError, TypeError):
        standard = Standard((), ())
    if len(standard.mean) != 3 or len(standard.std) != 3 or min(standard.std) <= 0:
        raise ConfigError(
            f"{beside}, beside model.weights, gives no pretrained_cfg with a mean and std of 3 numbers each",
            "put timm's config.json of these weights there, or remove it to take ImageNet's figures",
        )
    return standard
