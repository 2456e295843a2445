"""Fit the support vector machine of a rule that scores with one on the features of its trained network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes import machines
from rfmeta_dist.recipes.features import GRID_FRAMES
from rfmeta_dist.recipes.machines import Data, Fit
from rfmeta_dist.texture.classifier import Scaling


def batches_to_fit(config: Config, sources: Sources) -> int:
    """Return how many batches of each source a machine is fitted to: those of `method.fitted_frames` frames.

    No source gives more frames of a class than the smallest class of all sources has.
    """
    least = min(
        sum(shard.samples for shard in manifest.stream("train", label))
        for manifest in sources.manifests.values()
        for label in (1, 0)
    )
    frames = min(int(config.method.fitted_frames), least)
    return max(1, 2 * frames // config.data.batch)


@torch.no_grad()
def fit_last_layer(
    nets: Networks,
    batches: Iterator[tuple[str, RawBatch]],
    sources: Sources,
    rule: type[Objective],
    device: torch.device,
    seed: int,
) -> int:
    """Set the layer `rule.MACHINE` to a linear support vector machine that tells live faces from attacks.

    Its cost is chosen by cross-validation, in which all frames of a video are in the same fold. It is scaled so
    that the mean absolute margin of the batches is 1.

    Args:
        nets: trained networks on the device; they end in evaluation mode.
        batches: pairs of a source's name and a batch of it.
        sources: the run's source domains.
        rule: the learning rule.
        device: device of the networks.
        seed: seed of the folds.

    Returns:
        The number of rows that it was fitted to.
    """
    nets.eval()
    videos = {name: _videos(manifest) for name, manifest in sources.manifests.items()}
    features, labels, groups = [], [], list[str]()
    for name, raw in batches:
        features.append(rule.machine_input(nets, to_input(raw.image, device)).float().cpu().numpy())
        labels.append(raw.label)
        groups += [f"{name}/{videos[name][key]}" for key in raw.keys]
    rows = np.concatenate(features)
    scaling = Scaling.of(rows)
    data = Data(machines.scaled(rows, scaling), np.concatenate(labels).astype(np.int64))
    everything = np.arange(len(rows))
    some = everything[:: max(1, -(-len(rows) // GRID_FRAMES))]
    folds = machines.folds("linear", some, data.labels, np.array(groups), seed)
    scores = [machines.judged(data, fold) for fold in folds]
    setting, _ = machines.best("linear", scores, rows.shape[1])
    machine = machines.fitted(data, Fit("linear", everything, setting, exact=0, seed=seed))
    unit = float(np.abs(machine.margins(data.features)).mean()) or 1.0
    # The scaling x ↦ (2x − low − high) / (high − low) becomes a part of the layer.
    spread = scaling.high - scaling.low
    weights = np.divide(machine.vectors[0], spread, out=np.zeros_like(spread), where=spread > 0) / unit
    bias = machine.bias / unit - float(weights @ (scaling.low + scaling.high))
    layer = nets.extra[rule.MACHINE]
    assert isinstance(layer, nn.Linear)
    layer.weight.copy_(torch.from_numpy(2 * weights)[None])
    layer.bias.fill_(bias)
    return len(rows)


def _videos(manifest: Manifest) -> Mapping[str, str]:
    columns = (manifest.samples[name].to_pylist() for name in ("key", "video_id"))
    return dict(zip(*columns, strict=True))
