"""Load pretrained weights into an extractor, from a local safetensors file with timm's names.

A pretrained network was trained on standardised RGB, (x − mean)/std, but the input here is RGB and HSV in [0,
1]. The first convolution is changed to compensate: w' = w/std on RGB, zero on HSV, b' = b − Σ w·mean/std. This
is exact, because that convolution has no padding (zeros of a padding would stand for another colour).
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

HEAD = "head."  # prefix of the classifier, and of ConvNeXt's norm before it
SHOWN = 3  # number of differences that an error lists


class Standard(NamedTuple):
    """Mean and standard deviation by which R, G and B in [0, 1] were standardised."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Standard((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def load_weights(extractor: Backbone, path: str) -> None:
    """Load all weights of the extractor except those of `attach`. A classifier in the file is ignored.

    If timm's `config.json` lies beside the file, mean and standard deviation are read from it (some of timm's
    vision transformers were trained with 0.5 and 0.5). Otherwise they are ImageNet's.

    Args:
        extractor: the extractor to load into, of any precision.
        path: a local safetensors file, of any precision.

    Raises:
        ConfigError: the file does not exist, is not safetensors, or has the weights of another network.
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
    """Convert a convolution of standardised RGB to an equal one of RGB and HSV in [0, 1], in float64."""
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in standard)
    rgb = weight.double() / std[:, None, None]
    return torch.cat([rgb, torch.zeros_like(rgb)], dim=1), bias.double() - rgb.sum((2, 3)) @ mean


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise ConfigError(
            f"model.weights={file} is not a file on this machine",
            "download the file first, which rfmeta does not do, or remove model.weights to start from random "
            "weights",
        )
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"model.weights={file} cannot be read as safetensors: {error}",
            "give an undamaged .safetensors file",
        ) from error


def _check(file: Path, found: dict[str, Tensor], shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise a ConfigError if names or shapes differ from those of the extractor."""
    wrong = [f"{name} is missing" for name in shapes if name not in found]
    wrong += [f"{name} is not part of it" for name in found if name not in shapes]
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
    """Return mean and standard deviation for the file's network."""
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
            f"{beside}, beside model.weights, has no pretrained_cfg with a mean and a std of 3 numbers each",
            "replace it by timm's config.json of these weights, or remove it to use ImageNet's mean and std",
        )
    return standard
