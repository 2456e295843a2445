"""Name the figures that are computed from a store, and write them as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

RUN = ("run", "target")
RUNS = ("folder", "target")
STUDY = ("study",)
RETRAINING = ("retraining",)

# Each figure with its labels and what it says. All are gauges: they say what stands in the store now.
FIGURES: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "rfmeta_store_up": (("folder",), "1 if the folder could be read at the last look, 0 if not"),
        "rfmeta_store_read_time_seconds": (("folder",), "when the folder was last read, as a Unix time"),
        "rfmeta_run_state": ((*RUN, "state"), "1 for the run's state: training, stopped, trained or judged"),
        "rfmeta_run_steps": (RUN, "step of the run's newest checkpoint"),
        "rfmeta_run_steps_planned": (RUN, "steps that the run is to train"),
        "rfmeta_run_starts": (RUN, "how often the run's workers were started"),
        "rfmeta_run_started_time_seconds": (RUN, "when they were last started, as a Unix time; 0 if never"),
        "rfmeta_run_not_finite_steps": (RUN, "steps at which the loss or gradient was not finite"),
        "rfmeta_run_hter": ((*RUN, "method"), "HTER on the target by video, a fraction"),
        "rfmeta_run_auc": ((*RUN, "method"), "AUC on the target by video, a fraction"),
        "rfmeta_runs": ((*RUNS, "state"), "runs of a folder in each state"),
        "rfmeta_runs_hter": ((*RUNS, "method"), "HTER by video, the mean over the judged runs of a folder"),
        "rfmeta_runs_auc": ((*RUNS, "method"), "AUC by video, the mean over the judged runs of a folder"),
        "rfmeta_study_state": ((*STUDY, "state"), "1 for the study's state: searching, stopped or over"),
        "rfmeta_study_trainings": ((*STUDY, "state"), "trainings that are complete, stopped early or wanted"),
        "rfmeta_study_steps": (STUDY, "steps of the study's trainings that are done"),
        "rfmeta_study_steps_planned": (STUDY, "steps that the study needs at most"),
        "rfmeta_study_candidates": ((*STUDY, "target", "state"), "candidates of a target in each state"),
        "rfmeta_study_best": ((*STUDY, "target"), "score of the target's best candidate so far, a fraction"),
        "rfmeta_retraining_look_time_seconds": (RETRAINING, "when rfmeta retrain last looked, as a Unix time"),
        "rfmeta_retraining_look": ((*RETRAINING, "decision"), "1 for what the last look decided"),
        "rfmeta_retraining_new_videos": (RETRAINING, "videos that count and that the champion does not know"),
        "rfmeta_retraining_unreviewed_videos": (RETRAINING, "new videos whose batch nobody has reviewed"),
        "rfmeta_retraining_attempts": ((*RETRAINING, "outcome"), "attempts with each outcome; open: not ended"),
        "rfmeta_retraining_last_outcome": ((*RETRAINING, "outcome"), "1 for the outcome of the last attempt"),
        "rfmeta_retraining_working": (RETRAINING, "1 while a process works on an attempt"),
        "rfmeta_retraining_open_time_seconds": (RETRAINING, "start of the open attempt; 0 if none is open"),
        "rfmeta_retraining_approvals": (RETRAINING, "attempts that passed the gate and wait for a person"),
        "rfmeta_retraining_approval_time_seconds": (
            RETRAINING,
            "since when the first waits; 0 if none does",
        ),
        "rfmeta_retraining_drift": (RETRAINING, "1 if the last drift watch found that scores have drifted"),
        "rfmeta_retraining_drift_time_seconds": (RETRAINING, "when drift was last looked for; 0 if never"),
        "rfmeta_retraining_audit_intact": (RETRAINING, "0 if the audit log was edited or lacks events"),
        "rfmeta_retraining_champion": (RETRAINING, "number of the champion's version; 0 if there is none"),
        "rfmeta_retraining_champion_time_seconds": (RETRAINING, "since when it is the champion; 0 if none is"),
        "rfmeta_retraining_champion_error": (
            (*RETRAINING, "rate", "type"),
            "the champion's APCER by attack type, and BPCER, on the frozen videos it was judged on, a fraction",
        ),
    }
)


@dataclass(frozen=True)
class Sample:
    """One value of a figure.

    Attributes:
        name: one of `FIGURES`.
        value: the value.
        labels: all labels of the figure with their values.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def one_of(name: str, chosen: str | None, known: Iterable[str], label: str, **labels: str) -> list[Sample]:
    """Return a sample for each known value of a label: 1 for the chosen one, 0 for the others."""
    return [Sample(name, float(value == chosen), {**labels, label: value}) for value in known]


def text(samples: Iterable[Sample]) -> str:
    """Return samples in Prometheus's text format 0.0.4, in the order of `FIGURES`.

    Raises:
        KeyError: a sample has a name that is not in `FIGURES`.
    """
    by_name: dict[str, list[str]] = {}
    for sample in samples:
        labels = ",".join(f'{name}="{_escaped(sample.labels[name])}"' for name in FIGURES[sample.name][0])
        by_name.setdefault(sample.name, []).append(f"{sample.name}{{{labels}}} {sample.value!r}")
    lines: list[str] = []
    for name, (_, said) in FIGURES.items():
        if name in by_name:
            lines += [f"# HELP {name} {said}", f"# TYPE {name} gauge", *by_name[name]]
    return "".join(f"{line}\n" for line in lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
