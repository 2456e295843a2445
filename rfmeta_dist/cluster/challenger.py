"""Train the challenger of an attempt, export it, and score videos with its deployment package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from rfmeta_dist.cluster.monitor import News
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.api import View
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.scoring import concatenate, scan_judged, score_domain
from rfmeta_dist.retrain.attempts import Attempt
from rfmeta_dist.retrain.challenger import MODEL, PACKAGE, RUN
from rfmeta_dist.runs import pins
from rfmeta_dist.runs.folder import MODEL as FINISHED
from rfmeta_dist.storage.folders import remove_folder
from rfmeta_dist.storage.store import Store, open_store

Tell = Callable[[str], None]
SIDE = 8  # the side of images that are read is a multiple of it
Display = Callable[[], AbstractContextManager[Callable[[News], None]]]


def train(
    config: Config, attempt: Attempt, display: Display, tell: Tell, *, slots: int | None, address: str | None
) -> None:
    """Train the challenger on the states that the attempt is pinned to, unless its model is there already.

    Args:
        config: the challenger's, from `retrain.challenger.configuration`.
        attempt: the attempt.
        display: opens the display of the training's steps.
        tell: called with each message for the user.
        slots: number of CPUs of a local Ray; the machine's cores if None.
        address: the cluster to train on; Ray starts on this machine if None.

    Raises:
        RfmetaError: the training failed. The same call continues it.
    """
    folder = attempt.folder.sub(RUN)
    if folder.exists(FINISHED):
        return
    pins.add(folder, attempt.asked.pins)  # before the training looks for the newest states

    from rfmeta_dist.cluster.object_store import in_flight
    from rfmeta_dist.cluster.session import session

    ready = session(slots, address, torch=True, batches=in_flight(config), say=tell)
    with ready as local, display() as show:
        from rfmeta_dist.cluster.train import train_run

        train_run(config, show, on_notice=tell, local=local)


def export(attempt: Attempt, name: str, tell: Tell) -> None:
    """Write the deployment package of an attempt's model, unless it is there already.

    Args:
        attempt: an attempt whose training has ended.
        name: name of the package.
        tell: called with each line of progress.
    """
    folder = attempt.folder.sub(PACKAGE)
    if folder.exists(deployment.ABOUT):
        return
    remove_folder(attempt.folder, PACKAGE)  # what an interrupted export has left

    from rfmeta_dist.export.deployment import export as make
    from rfmeta_dist.export.work import Order

    model = package.read(attempt.folder.sub(MODEL))
    make(Order(model, attempt.folder.sub(RUN), name), folder, tell)


class Scorer:
    """Scores samples with the deployment package of an attempt: with its ONNX file, which is what is deployed.

    Args:
        attempt: the attempt that made the package.
        threads: number of threads that compute.
    """

    def __init__(self, attempt: Attempt, threads: int) -> None:
        from rfmeta_dist.export.session import OnnxDetector

        self.package = deployment.read(attempt.folder.sub(PACKAGE))
        self._view = package.read(attempt.folder.sub(MODEL)).view
        self._detector = OnnxDetector(self.package.files[deployment.MODEL], threads)

    def _seen(self, manifest: Manifest) -> View:
        """Return what is given to the model: whole crops if all have one size. It cuts out the patches itself.

        A patch that is given to it is taken for a crop, out of which it cuts the same patch nine times.
        """
        sides = manifest.samples["width"].unique().to_pylist()
        if self._view.patches is None or len(sides) > 1 or sides[0] % SIDE:
            return self._view
        return replace(self._view, image_size=sides[0], patches=None)

    def score(
        self,
        config: Config,
        manifests: Mapping[str, Manifest],
        split: Split | None,
        keys: Collection[str] | None,
    ) -> Scores:
        """Score samples of some states of domains.

        Args:
            config: names the prefix of the shards, and how much of them is kept on this disk.
            manifests: the states.
            split: the split to score; None for all splits.
            keys: keys of the samples to score; None for all.

        Returns:
            Scores by frame.

        Raises:
            DataError: a shard is missing or damaged.
        """
        store: Store = open_store(config.data.prefix)
        parts = []
        for manifest in manifests.values():
            batches = scan_judged(config, store, manifest, split, self._seen(manifest), only=keys)
            parts.append(score_domain(self._detector, manifest, batches))
        return concatenate(parts)
