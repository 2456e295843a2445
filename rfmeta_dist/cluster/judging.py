"""Finish a trained run on its sources and judge it on its target, in the calling process. Ray is not needed."""

from __future__ import annotations

from typing import Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store


def finish(config: Config, folder: Store, checkpoint: str, device: str) -> None:
    """Make the run's model from a checkpoint: recalibrate batch norm, set the thresholds, write the package.

    Reads source domains only.

    Args:
        config: the run's.
        folder: the run's.
        checkpoint: name of the checkpoint's folder below the run's.
        device: name of a device, such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        RfmetaError: the checkpoint or a source is damaged, or the scores are not numbers.
    """
    import torch

    from rfmeta_dist.evaluation import judge
    from rfmeta_dist.recipes import gradient
    from rfmeta_dist.training import precision

    torch.set_num_threads(config.training.threads)
    precision.set_up(config.training)
    sources = Sources.of(config, folder)
    detector, words = gradient.from_checkpoint(config, folder.sub(checkpoint), sources, torch.device(device))
    facts = {"step": config.training.steps, "recalibration": words}
    judge.finish(config, folder, detector, sources, facts)


def evaluate(config: Config, folder: Store, device: str) -> dict[str, Any]:
    """Judge the run's model on its sealed target; return the content of evaluation.json.

    Args:
        config: the run's.
        folder: the run's; the lease is held.
        device: name of a device, such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        RfmetaError: the model or the target is damaged, or the scores are not numbers.
    """
    import torch

    from rfmeta_dist.evaluation import judge
    from rfmeta_dist.recipes.load import load_model
    from rfmeta_dist.training import precision

    torch.set_num_threads(config.training.threads)
    precision.set_up(config.training)
    return judge.evaluate(config, folder, load_model(folder.sub("model"), device))


def evaluate_here(config: Config, folder: Store) -> dict[str, Any]:
    """Judge a finished run on its sealed target in this process; return the content of evaluation.json.

    A run that was trained on GPUs is judged on the GPU of this machine if there is one.

    Args:
        config: the run's.
        folder: the run's.

    Raises:
        RunError: another process is training or judging this run; both would write its ledger.
        RfmetaError: see `evaluate`.
    """
    import torch

    with lease.held(folder, "judged"):
        gpu = config.training.gpus > 0 and torch.cuda.is_available()
        return evaluate(config, folder, "cuda" if gpu else "cpu")
