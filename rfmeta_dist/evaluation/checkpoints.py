"""Choose the model of a run among several of its checkpoints, on the sources, and say what the choice cost.

The candidates are the last `evaluation.candidates` checkpoints and, if the run keeps one, the average of the
weights. Each is finished like a model of its own, in a folder below the run's:

candidates/step-0001400/validation.parquet, scores.parquet, model/
candidates/average/…
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from rfmeta_dist.config.phases import ends
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.evaluation import figures, rates, thresholds
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.runs.folder import MODEL
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FOLDER = "candidates"
AVERAGE = "average"
WORDS = {
    "last": "last step",
    "best": "lowest equal error rate per video on the sources' validation splits",
    "average": "average of the weights",
}


@dataclass(frozen=True)
class Candidate:
    """What could become the model of a run.

    Attributes:
        name: name of the checkpoint's folder, or `AVERAGE`.
        step: number of steps after which it was saved.
        averaged: whether it is the average of the weights instead of the weights of the step.
    """

    name: str
    step: int
    averaged: bool = False


def candidates(config: Config, there: Mapping[int, str]) -> list[Candidate]:
    """Return the candidates of a run that is trained to its last step, oldest first, the average last.

    Args:
        config: the run's.
        there: names of the folders of the checkpoints that exist, by step.
    """
    # A checkpoint of an earlier phase of the method is no model that could be judged.
    *before, last = (0, *ends(config))
    steps = sorted(step for step in there if before[-1] < step <= last)[-config.evaluation.candidates :]
    average = [Candidate(AVERAGE, last, averaged=True)] if config.training.average else []
    return [Candidate(there[step], step) for step in steps] + average


def described(
    found: Sequence[Candidate], validation: Mapping[str, Scores], rule: str, left_out: Sequence[str] = ()
) -> dict[str, Any]:
    """Choose among candidates by their scores on the sources, and return the choice as JSON represents it.

    Args:
        found: the candidates, from `candidates`.
        validation: frame scores of the sources' validation splits, by the candidate's name.
        rule: `last`, `best` or `average`, as in `evaluation.checkpoint`. Equally good ones are decided by AUC,
            and then the later one is taken.
        left_out: names of the candidates whose checkpoints are damaged.

    Returns:
        `rule`, `chosen` (a name), `left_out`, and `candidates`, each with `name`, `step`, `averaged` and its
        `EER` and `AUC` per video on the sources' validation splits.

    Raises:
        DataError: a class is missing.
    """
    rows = [_row(candidate, validation[candidate.name]) for candidate in found]
    if rule == "best":
        chosen = max(rows, key=lambda row: (-row["EER"], row["AUC"], row["step"], row["averaged"]))
    else:
        chosen = [row for row in rows if row["averaged"] == (rule == "average")][-1]
    return {"rule": rule, "chosen": chosen["name"], "candidates": rows, "left_out": list(left_out)}


def others(about: Mapping[str, Any]) -> list[str]:
    """Return the names of the candidates that did not become the model of a run, from its package.json."""
    choice = about.get("checkpoints", {"candidates": []})
    return [row["name"] for row in choice["candidates"] if row["name"] != choice["chosen"]]


@contextmanager
def reading(folder: Store, name: str) -> Iterator[Store]:
    """Yield the folder of a candidate, to read what was made of it.

    Args:
        folder: the run's.
        name: the candidate's.

    Raises:
        RunError: what is read is missing, damaged, or was edited; the remedy says how to make it anew.
    """
    place = folder.sub(f"{FOLDER}/{name}")
    try:
        yield place
    except (RunError, MissingError) as error:
        why = error.problem if place.exists(MODEL) else f"{place.url}/{MODEL} is missing"
        raise RunError(
            f"the candidate {name} of this run cannot be read: {why}",
            f"restore the folder {FOLDER}/ from a backup, or delete the run's folders {FOLDER}/ and model/ and "
            "give this run's `rfmeta train` command again: it makes both from the checkpoints",
        ) from error


def _row(candidate: Candidate, validation: Scores) -> dict[str, Any]:
    threshold, scores = thresholds.from_sources(validation, "video"), validation.per("video")
    return {
        "name": candidate.name,
        "step": candidate.step,
        "averaged": candidate.averaged,
        "EER": threshold.eer,
        "AUC": rates.auc(scores.label, scores.score),
    }


def judged(
    choice: Mapping[str, Any], validation: Mapping[str, Scores], target: Mapping[str, Scores]
) -> dict[str, Any]:
    """Compare the chosen candidate with the others on the target. Nothing is chosen by this.

    Args:
        choice: from `described`.
        validation: frame scores of the sources' validation splits, by the candidate's name.
        target: frame scores of the target, by the candidate's name.

    Returns:
        What `described` returned, and more: each candidate has its `target`, with `HTER` at its own threshold
        from the sources and `AUC`, both per video. `oracle` names the candidate with the lowest HTER, which
        nobody can know without the target's labels; `regret` is how much higher the HTER of the chosen one is.
        `spread` describes the HTER of the checkpoints without the average: `count`, `lowest`, `highest`, and
        `std`, the standard deviation, which is null if there is one checkpoint.
    """
    rows = []
    for row in choice["candidates"]:
        hter, auc = figures.by_video(validation[row["name"]], target[row["name"]])
        rows.append({**row, "target": {"HTER": hter, "AUC": auc}})
    rate = {row["name"]: row["target"]["HTER"] for row in rows}
    last = [rate[row["name"]] for row in rows if not row["averaged"]]
    oracle = min(reversed(rate), key=rate.__getitem__)
    return {
        **choice,
        "candidates": rows,
        "oracle": oracle,
        "regret": rate[choice["chosen"]] - rate[oracle],
        "spread": {
            "count": len(last),
            "lowest": min(last),
            "highest": max(last),
            "std": stdev(last) if len(last) > 1 else None,
        },
    }
