"""Compute APCER, BPCER and ACER of an official protocol, as mean and deviation over its folds.

OULU-NPU's protocols 3 and 4 have six folds, one for each phone, and their figures are the mean and the standard
deviation over the folds. The figures of a fold are per video, at the threshold of the equal error rate of its
validation part, and APCER is that of the worst attack type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from rfmeta_dist.report.words import mean_and_deviation

if TYPE_CHECKING:
    from rfmeta_dist.report.table import Missing

COLUMNS = ("protocol", "method", "folds", "seeds", "APCER", "BPCER", "ACER")
FIGURES = {"APCER": "APCER_worst", "BPCER": "BPCER", "ACER": "ACER"}  # as shown, as in evaluation.json


@dataclass(frozen=True)
class Means:
    """The figures of one method by a protocol.

    Attributes:
        protocol: such as `O/3`.
        method: name of the method.
        folds: the folds that were judged, such as `O/3_1`.
        missing: folds of which a run is missing; the figures are then those of fewer runs.
        seeds: the seeds of the runs, sorted.
        values: for APCER, BPCER and ACER the value of each fold, in [0, 1], which is the mean over its seeds.
            If there is one fold, the value of each seed.
    """

    protocol: str
    method: str
    folds: Sequence[str]
    missing: Sequence[str]
    seeds: Sequence[int]
    values: Mapping[str, Sequence[float]]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, and for each figure its mean and sample deviation, as values for JSON.

        The deviation is None if there is one value.
        """
        figures = {
            name: {
                "mean": mean(values),
                "std": stdev(values) if len(values) > 1 else None,
                "values": list(values),
            }
            for name, values in self.values.items()
        }
        about = {"protocol": self.protocol, "method": self.method, "seeds": list(self.seeds)}
        return about | {"folds": list(self.folds), "missing": list(self.missing)} | figures

    def row(self) -> list[str]:
        """Return the cells of a line of the table, in the order of `COLUMNS`. Figures are in percent."""
        seeds = ", ".join(map(str, self.seeds))
        return [
            self.protocol,
            self.method,
            self._count(),
            seeds,
            *map(mean_and_deviation, self.values.values()),
        ]

    def sentence(self) -> str:
        """Return the same as a sentence without the full stop."""
        figures = ", ".join(f"{name} {mean_and_deviation(values)}" for name, values in self.values.items())
        several = len(next(iter(self.values.values()))) > 1
        over = (
            f", mean ± standard deviation over {'folds' if len(self.folds) > 1 else 'seeds'}" if several else ""
        )
        return f"{self.protocol}, {self.method}, {self._count()} fold(s): {figures} (percent, per video{over})"

    def _count(self) -> str:
        every = len(set(self.folds) | set(self.missing))
        whole = len(set(self.folds) - set(self.missing))
        return str(every) if whole == every else f"{whole} of {every}"


def means(
    protocol: str, evaluations: Sequence[Mapping[str, Any]], missing: Sequence[Missing] = ()
) -> list[Means]:
    """Return the figures of each method that was judged.

    Args:
        protocol: name of the protocol, such as `O/3`.
        evaluations: the content of evaluation.json of each run; `target` is its fold.
        missing: the runs without an evaluation.
    """
    found = []
    for method in dict.fromkeys(run["method"] for run in evaluations):
        runs = [run for run in evaluations if run["method"] == method]
        folds = sorted({run["target"] for run in runs}, key=lambda fold: (len(fold), fold))
        values = {name: _values(runs, folds, figure) for name, figure in FIGURES.items()}
        gone = sorted({lost.target for lost in missing if lost.method == method})
        seeds = sorted({run["seed"] for run in runs})
        found.append(Means(protocol, method, folds, gone, seeds, values))
    return found


def _values(runs: Sequence[Mapping[str, Any]], folds: Sequence[str], figure: str) -> list[float]:
    by_fold = [
        [run["figures"]["video"][figure]["value"] for run in runs if run["target"] == fold] for fold in folds
    ]
    if len(by_fold) == 1:
        return by_fold[0]
    return [mean(values) for values in by_fold]
