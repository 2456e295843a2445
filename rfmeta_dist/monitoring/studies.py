"""Compute the figures of a study: what is done and what is left, as a whole and by target."""

from __future__ import annotations

from collections import Counter

from rfmeta_dist.monitoring.holders import Holders
from rfmeta_dist.monitoring.samples import Sample, one_of
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tuning.folds import TRAININGS
from rfmeta_dist.tuning.known import Known, read_state
from rfmeta_dist.tuning.standing import Standing, stand
from rfmeta_dist.tuning.study import FILE, look

SEARCHING, STOPPED, OVER = "searching", "stopped", "over"
STATES = (SEARCHING, STOPPED, OVER)
CANDIDATES = ("complete", "stopped", "failed", "wanted", "waiting", "left")


class Studies:
    """Looks at studies. Figures that were read once are not read again.

    Args:
        holders: the leases that were seen before.
    """

    def __init__(self, holders: Holders) -> None:
        self._holders = holders
        self._known: dict[str, tuple[bytes, Known]] = {}

    def one(self, name: str, folder: Store) -> list[Sample]:
        """Return the figures of a study.

        Args:
            name: the study's name, its label.
            folder: the study's folder.

        Raises:
            RunError: a file of the study is damaged.
            StorageError: the folder cannot be read.
            ModuleNotFoundError: the study learns from scores, and Optuna is not installed.
        """
        known = self._look(folder)
        standing = stand(known)
        effort = standing.effort()
        if standing.over:
            state = OVER
        else:
            working = self._holders.working(known.shared.sub(TRAININGS))
            state = SEARCHING if working else STOPPED
        labels = {"study": name}
        trainings = {"complete": effort.complete, "stopped": effort.stopped, "wanted": effort.wanted}
        samples = [
            *one_of("rfmeta_study_state", state, STATES, "state", **labels),
            *(Sample("rfmeta_study_trainings", n, {**labels, "state": k}) for k, n in trainings.items()),
            Sample("rfmeta_study_steps", effort.steps, labels),
            Sample("rfmeta_study_steps_planned", known.plan.steps_of(known.plan.total), labels),
        ]
        for target in standing.views:
            samples += _target(standing, target, {**labels, "target": target})
        return samples

    def _look(self, folder: Store) -> Known:
        file = folder.read(FILE)
        before, known = self._known.get(folder.url, (b"", None))
        state = read_state(folder)
        if known is None or state is None or before != file:
            known = look(folder.url)
            self._known[folder.url] = file, known
        else:
            known.state = state
            known.look_again()
        return known


def _target(standing: Standing, target: str, labels: dict[str, str]) -> list[Sample]:
    states = Counter(standing.state(target, entry) for entry in standing.views[target].entries)
    samples = [Sample("rfmeta_study_candidates", states[s], {**labels, "state": s}) for s in CANDIDATES]
    chosen = standing.chosen(target)
    if chosen is not None and chosen.value is not None:
        samples.append(Sample("rfmeta_study_best", chosen.value, labels))
    return samples
