"""Begin a training with the weights of a trained model, instead of random ones."""

from __future__ import annotations

from collections.abc import Iterable

from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.detectors.package import Contents
from rfmeta_dist.training.shapes import misfit
from rfmeta_dist.training.step import Trainer

WEIGHTS = "weights.safetensors"


def begin(trainer: Trainer, model: Contents) -> None:
    """Load a model's parameters and running statistics. The optimisers start without moments, at step 0.

    Every worker calls this with the same model, before the first step.

    Args:
        trainer: the trainer, which has taken no step.
        model: the package, whose hashes were checked (`detectors.start`).

    Raises:
        ConfigError: the weights do not fit the networks, or are not finite; or the model scores with other
            networks than the run's method. Nothing is changed then.
    """
    nets = trainer.objective.nets
    try:
        weights = parse_tensors(model.files[WEIGHTS])
    except (KeyError, SafetensorError) as error:
        raise ConfigError(
            f"training.start: the model at {model.url} has no readable {WEIGHTS}", "give another model"
        ) from error
    if _own(weights) != {name for name in trainer.objective.SCORED if name.startswith("X.")}:
        raise ConfigError(
            f"training.start: the model at {model.url} is of a method that scores with other networks than "
            f"{trainer.objective.rule.name} does",
            "give a model of the run's method, or remove training.start to begin with random weights",
        )
    # Networks that a rule has in training alone keep their initial weights.
    state = nets.state_dict().items()
    own = {name: tensor for name, tensor in state if name.startswith("X.") and name not in weights}
    if strange := misfit(nets, {**weights, **own}, {}, "model"):
        raise ConfigError(
            f"training.start: the model at {model.url} has other networks than the run: {strange}",
            "set model.backbone and model.width to those of the model, or give another model",
        )
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise ConfigError(
            f"training.start: the weights of the model at {model.url} are not all finite, because its training "
            "diverged",
            "give another model",
        )
    nets.load_state_dict({**weights, **own})
    trainer.strategy.restore({}, 0)


def _own(weights: Iterable[str]) -> set[str]:
    """Return the networks beside F, M and D whose parameters are named, such as `X.network`."""
    return {".".join(name.split(".")[:2]) for name in weights if name.startswith("X.")}
