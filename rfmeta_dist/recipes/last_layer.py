"""Fit the support vector machine of a rule that scores with one to the features of its trained network."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core import seeds
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes import frames, machines
from rfmeta_dist.recipes.features import GRID_FRAMES
from rfmeta_dist.recipes.machines import Data, Fit
from rfmeta_dist.texture.classifier import Scaling

VARIES = 1e-6  # spread of a feature, relative to the largest of all: features that spread less are left out


@torch.no_grad()
def fit_last_layer(
    nets: Networks, config: Config, sources: Sources, rule: type[Objective], device: torch.device
) -> int:
    """Set the layer `rule.MACHINE` to a linear support vector machine that tells live faces from attacks.

    It is fitted to the same frames as the machines of hand-made features. Its cost is chosen by
    cross-validation, in which all frames of a video are in the same fold. The mean absolute margin of the
    frames is scaled to 1.

    Args:
        nets: trained networks on the device; they end in evaluation mode.
        config: the run's, of a method with the field `fitted_frames`.
        sources: the run's source domains.
        rule: the learning rule.
        device: device of the networks.

    Returns:
        The number of frames, or of patches of frames, that it was fitted to. If a feature is not finite, it is
        0, and the layer gives no numbers.

    Raises:
        DataError: a source is damaged.
    """
    nets.eval()
    layer = nets.extra[rule.MACHINE]
    assert isinstance(layer, nn.Linear)
    parts: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.float32]] = []
    videos: list[str] = []
    for raw, names in _batches(config, sources):
        parts.append(rule.machine_input(nets, to_input(raw.image, device)).float().cpu().numpy())
        labels.append(raw.label)
        videos += names
    rows = np.concatenate(parts)
    if not np.isfinite(rows).all():
        layer.bias.fill_(math.nan)  # the detector then says that the training diverged
        return 0
    scaling = _scaling(rows)
    data = Data(machines.scaled(rows, scaling), np.concatenate(labels).astype(np.int64))
    seed, everything = config.training.seed, np.arange(len(rows))
    some = np.sort(seeds.permutation(len(rows), "last layer", seed)[:GRID_FRAMES])
    folds = machines.folds("linear", some, data.labels, np.array(videos), seed)
    scores = [machines.judged(data, fold) for fold in folds]
    setting, _ = machines.best("linear", scores, rows.shape[1])
    machine = machines.fitted(data, Fit("linear", everything, setting, exact=0, seed=seed))
    unit = float(np.abs(machine.margins(data.features)).mean()) or 1.0
    # The scaling x ↦ (2x − low − high) / (high − low) becomes a part of the layer.
    spread = scaling.high - scaling.low
    weights = np.divide(machine.vectors[0], spread, out=np.zeros_like(spread), where=spread > 0) / unit
    layer.weight.copy_(torch.from_numpy(2 * weights)[None])
    layer.bias.fill_(machine.bias / unit - float(weights @ (scaling.low + scaling.high)))
    return len(rows)


def _batches(config: Config, sources: Sources) -> Iterator[tuple[RawBatch, list[str]]]:
    """Yield batches of training frames, equally many of each source and class, with the video of each row."""
    data = config.data
    grid = data.patches.grid**2 if data.patches else 1
    most = max(1, config.method.fitted_frames // grid)
    chosen = {name: frames.chosen(manifest, most) for name, manifest in sources.manifests.items()}
    count = min(len(of_class) for classes in chosen.values() for of_class in classes.values())
    for name, manifest in sources.manifests.items():
        videos = {frame.key: frame.video for of_class in chosen[name].values() for frame in of_class[:count]}
        for raw in scan(
            sources.store,
            manifest,
            "train",
            image_size=data.image_size,
            batch=data.batch,
            cache=Cache.of_node(sources.store.url, data.cache_gb),
            patches=data.patches,
            only=videos,
        ):
            yield raw, [f"{name}/{videos[key]}" for key in raw.keys]


def _scaling(rows: NDArray[np.float32]) -> Scaling:
    """Return the scaling of features, in which those that hardly vary are 0: they would get huge weights."""
    found = Scaling.of(rows)
    spread = found.high - found.low
    return Scaling(found.low, np.where(spread > VARIES * spread.max(), found.high, found.low))
