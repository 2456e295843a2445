"""Gather what an export needs: the order, the configuration, the sources, and the figures of the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.config import load as configuration
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError, DataError, PackageError, RunError, StorageError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors.package import Contents
from rfmeta_dist.export import check, crops
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FP32, INT8 = "fp32", "int8"
EVALUATION = "evaluation.json"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What is to be exported.

    Attributes:
        model: the content of the trained model's package.
        run: the folder of the run that trained it, from which its figures are read; None if a model was given.
        name: name of the deployment package; that of the run if None. `-int8` is added for int8.
        int8: True to convert the model to int8.
        shards: the prefix of the sources' shards, if they are elsewhere than at training.
    """

    model: Contents
    run: Store | None = None
    name: str | None = None
    int8: bool = False
    shards: str | None = None


@dataclass
class Work:
    """An export that is under way.

    Attributes:
        order: what is exported.
        config: the configuration of the training, with the place where the shards are now.
        tell: called with each line of progress.
        sources: the sources in the states that the model was trained on; None if they cannot be read.
        why: why they cannot be read.
        notes: what a user should read at the end.
    """

    order: Order
    config: Config
    tell: Tell
    sources: Sources | None = None
    why: str = ""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, order: Order, tell: Tell) -> Work:
        """Read the configuration and open the sources.

        Raises:
            RunError: this version cannot read the model's configuration.
            DataError, StorageError: the sources are not at the place that the order names.
        """
        work = cls(order, _config(order), tell)
        try:
            work.sources = Sources.pinned(work.config, order.model.about.get("data", {}))
        except (DataError, StorageError) as error:
            if order.shards is not None:
                raise
            work.why = error.problem
        return work

    @property
    def cache(self) -> Cache | None:
        """Return this node's cache of shards."""
        return Cache.of_node(self.config.data.prefix, self.config.data.cache_gb)

    @property
    def child(self) -> bool:
        """Return True if the model's thresholds were set on the user's own data (`rfmeta threshold`)."""
        about = self.order.model.about
        return about["parent"] not in (None, about.get("start", {}).get("package"))

    @property
    def tf32(self) -> bool:
        """Return True if the run computed its scores in tf32; bf16 is only for training."""
        return self.config.training.precision == "tf32" and self.config.training.gpus > 0

    def needed(self) -> Sources:
        """Return the sources, for thresholds that must be set on new scores.

        Raises:
            PackageError: they cannot be read, or the model's thresholds were set on other data.
        """
        if self.child:
            raise PackageError(
                f"the thresholds of the model at {self.order.model.url} were set on scores of your own data. "
                "They do not hold for int8, and the data are not at hand to set new ones",
                "export it without --int8, or export the run that it comes from with --int8",
            )
        if self.sources is None:
            what = "an int8 model" if self.order.int8 else "a run that computed its scores in tf32"
            raise PackageError(
                f"{what} needs thresholds of its own, and the validation splits of the sources cannot be read: "
                f"{self.why}",
                "give the place of the shards with --shards",
            )
        return self.sources

    def crops(self) -> tuple[list[check.Crops], str]:
        """Return crops to compare on, and in words which these are."""
        view = self.order.model.view
        if self.sources is None:
            self.notes.append(
                f"compared on generated faces that come with rfmeta_dist, because the sources cannot be read: "
                f"{self.why}. To compare on the sources, say where their shards are with --shards"
            )
            return crops.stacked(crops.shipped(view)), "generated faces that come with rfmeta_dist"
        names = ", ".join(self.sources.manifests)
        self.tell(f"reading {crops.WANTED} crops of the validation splits of {names}")
        found = crops.of_sources(self.sources, view, "validation", cache=self.cache)
        return crops.stacked(found), f"of the validation splits of {names}, half live, half attacks"

    def figures(self) -> dict[str, Any] | None:
        """Return the content of the run's evaluation.json, or None, with a note, if it is not about this model.

        Raises:
            RunError: the file is damaged.
        """
        run, model = self.order.run, self.order.model
        if run is None:
            self.notes.append(
                "the card has no figures, because a model was given; give the folder of its run for them"
            )
            return None
        try:
            found = json.loads(run.read(EVALUATION))
            told = {unit: found["figures"][unit]["threshold"]["value"] for unit in UNITS}
        except MissingError:
            self.notes.append(
                "the card has no figures, because the run was judged on no target (rfmeta evaluate)"
            )
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{run.url}/{EVALUATION} is damaged ({error!r})", f"make it with: rfmeta evaluate {run.url}"
            ) from error
        if told != {unit: model.thresholds[unit].value for unit in UNITS}:
            self.notes.append(f"the card has no figures, because {EVALUATION} was written for another model")
            return None
        return dict(found)


def _config(order: Order) -> Config:
    """Return the configuration of the training, with the place where the shards are now."""
    try:
        config = configuration.check(order.model.about["config"], f"{order.model.url}/package.json")
    except (ConfigError, KeyError) as error:
        raise RunError(
            f"the model at {order.model.url} has no configuration that this version can read ({error})",
            "export it with the version of rfmeta_dist that made it",
        ) from error
    if order.shards is None:
        return config
    data = config.data.model_copy(update={"prefix": order.shards})
    return config.model_copy(update={"data": data})
