"""Begin a training with the weights of a trained model, instead of random ones."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.detectors.package import Contents
from rfmeta_dist.training.shapes import misfit
from rfmeta_dist.training.step import Trainer

WEIGHTS = "weights.safetensors"


def begin(trainer: Trainer, model: Contents) -> None:
    """Load a model's parameters and running statistics of F, M and D. Adam starts without moments, at step 0.

    Every worker calls this with the same model, before the first step.

    Args:
        trainer: the trainer, which has taken no step.
        model: the package, whose hashes were checked (`detectors.start`).

    Raises:
        ConfigError: the weights do not fit the networks, or are not finite. Nothing is changed then.
    """
    nets = trainer.objective.nets
    try:
        weights = parse_tensors(model.files[WEIGHTS])
    except (KeyError, SafetensorError) as error:
        raise ConfigError(
            f"training.start: the model at {model.url} has no readable {WEIGHTS}", "give another model"
        ) from error
    # Networks of a rule that the package lacks keep their initial weights.
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
