"""Use networks that a learning rule trains as a detector: fit it, make it from a checkpoint, or load it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes

from rfmeta_dist.config.schema import Config, Model
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.detectors.api import Inside, ScoreError
from rfmeta_dist.detectors.package import Contents, damaged
from rfmeta_dist.detectors.start import open_start
from rfmeta_dist.methods import METHODS
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.models.activation import STRIDE
from rfmeta_dist.models.activation import inside as look_inside
from rfmeta_dist.models.build import build as build_networks
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.last_layer import fit_last_layer
from rfmeta_dist.recipes.recalibration import recalibrate
from rfmeta_dist.storage.store import Store
from rfmeta_dist.strategy.api import Tensors
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.begin import WEIGHTS, begin
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.checkpoint import read as read_checkpoint
from rfmeta_dist.training.course import Course, train_phases
from rfmeta_dist.training.loop import Hooks
from rfmeta_dist.training.step import Trainer

CPU = torch.device("cpu")
PREPROCESSING = "RGB and HSV (hue a full circle), six channels in [0, 1], no mean or deviation subtracted"


class GradientDetector:
    """A detector of trained networks. Its score is σ(M(F(x))), unless the learning rule says otherwise.

    Args:
        nets: networks with final (recalibrated) running statistics; they are put into evaluation mode.
        model: configuration from which the networks were built.
        device: device to compute on.
        method: name of the learning rule; "" for one with the usual score.
    """

    kind = "gradient"
    wants: Literal["frame", "clip"] = "frame"

    def __init__(self, nets: Networks, model: Model, device: torch.device = CPU, method: str = "") -> None:
        self.nets = nets.to(device).eval()
        self.rule: type[Objective] = METHODS[method] if method else Objective
        usual = self.rule.SCORE == Objective.SCORE and not nets.extra
        self._method = "" if usual else method
        self._model = model
        self._device = device

    @torch.no_grad()
    def score(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the scores of B×S×S×3 RGB crops: B numbers in [0, 1], the probability that a face is live.

        Raises:
            ScoreError: a score is not a number, because the training diverged.
        """
        scores: NDArray[np.float64] = self.rule.score(self.nets, to_input(faces, self._device)).cpu().numpy()
        # A NaN fails both comparisons. A score stays within [0, 1], so nothing else can fail.
        bad = ~((scores >= 0) & (scores <= 1))
        if bad.any():
            raise self._diverged(int(np.flatnonzero(bad)[0]))
        return scores

    @torch.no_grad()
    def inside(self, faces: NDArray[np.uint8]) -> Inside:
        """Return class activation, pooled features and predicted depth of B×S×S×3 RGB crops, as float64.

        Raises:
            RunError: the score does not come from M, so it has no class activation.
        """
        if self._method:
            raise RunError(
                f"the score of a model of {self._method} is {self.rule.SCORE}, and a class activation explains "
                "the classifier M alone",
                "explain a run of another method",
            )
        found = look_inside(self.nets, to_input(faces, self._device))
        return Inside(
            logit=_array(found.logit),
            activation=_array(found.activation),
            bias=float(self.nets.M.fc2_1.bias.double()),
            features=_array(found.features),
            depth=_array(found.depth),
            stride=STRIDE,
        )

    def save(self, folder: Store) -> dict[str, Any]:
        """Write the weights, and return what is needed to build the networks again and to read their score."""
        weights = {name: tensor.cpu().contiguous() for name, tensor in self.nets.state_dict().items()}
        folder.write(WEIGHTS, tensor_bytes(weights))
        return {
            "networks": self._model.model_dump(mode="json"),
            "preprocessing": PREPROCESSING,
            "score": self.rule.SCORE,
            **({"method": self._method} if self._method else {}),
            "torch": torch.__version__,
        }

    def _diverged(self, row: int) -> ScoreError:
        tensors = [tensor for tensor in self.nets.state_dict().values() if tensor.is_floating_point()]
        finite = all(bool(tensor.isfinite().all()) for tensor in tensors)
        largest = max(float(tensor.abs().max()) for tensor in tensors if tensor.numel())
        weights = f"finite, but as large as {largest:.1e}" if finite else "not finite"
        return ScoreError(
            f"its weights are {weights}, so the training diverged",
            "lower method.inner_learning_rate or training.learning_rate, and train again under a new run.name",
            row,
        )


class GradientRecipe:
    """Trains with the configured learning rule in this process (one worker), then recalibrates on the sources.

    Args:
        device: device to compute on.
    """

    def __init__(self, device: torch.device = CPU) -> None:
        self._device = device

    def fit(self, sources: Sources, context: Context) -> GradientDetector:
        """Train to the last step, and return the detector.

        Raises:
            DataError: a source is damaged or has samples of one class only.
            RunError: a loss or gradient is not finite.
            ConfigError: the model at `training.start` cannot be used.
        """
        one = {"workers": 1, "strategy": "single"}  # this process computes every task of an episode
        training = context.config.training.model_copy(update=one)
        config = context.config.model_copy(update={"training": training})
        course = Course(config, Single, self._device)
        if config.training.start:
            begin(course.trainer, open_start(config))
        batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
        hooks = Hooks(context.after_step, checkpoint=lambda _: None, not_finite=lambda *_: None)
        train_phases(config, course, batches, hooks, Progress(), self._device)
        detector, _ = from_trainer(course.trainer, config, sources, self._device)
        return detector


def from_checkpoint(
    config: Config, checkpoint: Store, sources: Sources, device: torch.device, *, averaged: bool = False
) -> tuple[GradientDetector, str]:
    """Make a detector of the networks in a checkpoint, recalibrated on the sources' training splits.

    Args:
        config: the run's.
        checkpoint: folder of the checkpoint.
        sources: the run's source domains, with the manifests that it was trained on.
        device: device to compute on.
        averaged: take the average of the weights that the checkpoint holds instead of the weights of its step.

    Returns:
        The detector, and a text that says how its statistics were recalibrated.

    Raises:
        RunError: the checkpoint is damaged.
        DataError: a source is damaged or has samples of one class only.
    """
    saved = read_checkpoint(checkpoint)
    if averaged and not saved.average:
        raise RunError(
            f"checkpoint {saved.url} holds no average of the weights",
            "restore the checkpoint from a backup, or start a new run with --set run.name=…",
        )
    weights = {**saved.weights, **(saved.average if averaged else {})}
    return recalibrated(_networks(config, weights).to(device), config, sources, device)


def from_trainer(
    trainer: Trainer, config: Config, sources: Sources, device: torch.device
) -> tuple[GradientDetector, str]:
    """Make a detector of a copy of networks that may be trained further, as `from_checkpoint` does.

    It has the average of the weights if `evaluation.checkpoint` says so, else the present ones.
    """
    averaged = config.evaluation.checkpoint == "average" and trainer.average
    weights = {**trainer.objective.nets.state_dict(), **(averaged.state() if averaged else {})}
    return recalibrated(_networks(config, weights).to(device), config, sources, device)


def _networks(config: Config, weights: Tensors) -> Networks:
    """Return the networks of a model with weights of a training, without those that the score does not need."""
    nets = build_networks(config.model, extra=METHODS[config.method.name].scored_modules(config.model))
    names = nets.state_dict().keys()
    nets.load_state_dict({name: tensor for name, tensor in weights.items() if name in names})
    return nets


def recalibrated(
    nets: Networks, config: Config, sources: Sources, device: torch.device
) -> tuple[GradientDetector, str]:
    """Compute what a model has beyond its trained weights, and return a detector and a text about it.

    That is batch norm's statistics, and the machine of a rule that has one.

    Args:
        nets: networks on the device.
        config: the run's.
        sources: its source domains.
        device: device to compute on.
    """
    rule, names, words = METHODS[config.method.name], ", ".join(sources.manifests), []
    if count := recalibrate(nets, _batches(config, sources), device, rule):
        words.append(f"batch-norm statistics pooled over {count} training batches of {names}")
    if rule.MACHINE:
        rows = fit_last_layer(nets, config, sources, rule, device)
        words.append(f"a support vector machine fitted to {rows:,} training images of {names}")
    return GradientDetector(nets, config.model, device, config.method.name), "; ".join(words)


def read_detector(contents: Contents, device: str) -> GradientDetector:
    """Make the detector of a model package.

    Raises:
        RunError: the weights do not fit the networks that the package describes.
    """
    try:
        model = Model(**{**contents.detector["networks"], "weights": None})
        method = contents.detector.get("method", "")
        nets = build_networks(model, extra=METHODS[method].scored_modules(model) if method else {})
        nets.load_state_dict(parse_tensors(contents.files[WEIGHTS]))
        return GradientDetector(nets, model, torch.device(device), method)
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise damaged(contents.url, error) from error


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.double().cpu().numpy()
    return array


def _batches(config: Config, sources: Sources) -> Iterator[RawBatch]:
    """Yield training batches of each source, without augmentation, from batch number `training.steps` on.

    With one episode of all sources in each step these are the first unused batches. Other runs have used more
    or fewer batches, but the statistics do not need unused ones, so the start is the same for all runs.
    """
    data = config.data
    for manifest in sources.manifests.values():
        stream = DomainStream.of_run(sources.store, manifest, data, config.training.seed, varied=False)
        yield from islice(stream.batches(config.training.steps), config.evaluation.recalibration_batches)
