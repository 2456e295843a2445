"""Make the configuration with which an attempt trains its challenger."""

from __future__ import annotations

from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.config.schema import Config
from rfmeta_dist.retrain.attempts import Attempt

RUN = "run"  # the training's folder in that of the attempt
PACKAGE = "package"
MODEL = f"{RUN}/model"


def configuration(config: Retraining, attempt: Attempt) -> Config:
    """Return the configuration of an attempt's training: all domains are sources, and there is no target.

    Raises:
        ConfigError: the base cannot be trained on these domains.
    """
    asked, tree = attempt.asked, config.base.model_dump(mode="json")
    tree["run"] = {"name": RUN, "folder": attempt.folder.url}
    tree["data"] |= {"sources": list(asked.pins), "target": None}
    tree["training"] |= {"seed": asked.seed, **_start(config, asked.champion)}
    return check(tree, "of the challenger")


def _start(config: Retraining, champion: Any) -> dict[str, Any]:
    """Return the fields of a training that begins with the champion's weights; {} if it begins afresh."""
    wanted = config.challenger
    if champion is None or wanted.start == "afresh":
        return {}
    changed = {"steps": wanted.steps, "learning_rate": wanted.learning_rate}
    return {"start": f"{champion['attempt']}/{MODEL}", **{k: v for k, v in changed.items() if v is not None}}
