"""Read and check the files of a run from which a report is made."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rfmeta_dist.config.by_kind import in_steps
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.detectors import package
from rfmeta_dist.evaluation import examples
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.validation import read_validation
from rfmeta_dist.runs import starts
from rfmeta_dist.storage.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.detectors.package import Contents
    from rfmeta_dist.evaluation.examples import Example
    from rfmeta_dist.storage.store import Store

    Row = dict[str, Any]

T = TypeVar("T")

_UNFINISHED = "if training has not finished, give the run's `rfmeta train` command again; if it has, "
_JUDGE = "make it with: rfmeta evaluate {run}"
# What to do if a file of a run is missing or damaged. A finished training is not repeated, so no command makes
# again what it wrote.
REMEDIES = {
    "config.yaml": "give the folder that `rfmeta train` printed, or restore the file from a backup",
    "metrics.jsonl": _UNFINISHED + "copy the file of this name from the newest step-* folder in {run}",
    "streams.json": _UNFINISHED
    + "restore the file from a backup, or write {{}} into it; the report then does not say what was read",
    "ledger.jsonl": "restore the file from a backup; it lists the run's reads of labels, and no command makes "
    "it again",
    "evaluation.json": _JUDGE,
    "scores.parquet": _JUDGE,
    "examples.parquet": _JUDGE,
}
_EVALUATION = ("target", "sources", "method", "seed", "figures")
_TRAINED = ("step", "recalibration")  # in evaluation.json, unless the model was fitted at once, without steps
_STREAM = ("bytes_read", "shards_read", "cache_hits", "retries", "samples")
_READ = ("time", "domain", "split", "samples", "manifest", "sealed")


@dataclass(frozen=True)
class TrainingRecord:
    """What a report shows about the training of a run, read from files that earlier commands wrote.

    Attributes:
        config: the configuration file as text.
        metrics: one row for each training step, in order: `step`, `loss`, its parts, `seconds`, and more. A
            skipped step has no loss. There are none if the method is not trained in steps.
        ledger: one row for each read of data: `time`, `command` or `purpose`, `domain`, `split`, `samples`,
            `manifest` (SHA-256 in hex) and `sealed` (True for the sealed evaluation of the target).
        streams: for each domain, what was read and how long training waited for it (core/totals.py).
        traces: the trace ids of all starts of the run.
    """

    config: str
    metrics: list[Row]
    ledger: list[Row]
    streams: dict[str, Row]
    traces: list[str]


@dataclass(frozen=True)
class TrainedRecord(TrainingRecord):
    """Everything that a report shows about a trained run that has no target.

    Attributes:
        model: the content of the package: its view, and in `about` the configuration and facts of the training.
        validation: frame scores of the sources' validation splits.
    """

    model: Contents
    validation: Scores


@dataclass(frozen=True)
class RunRecord(TrainingRecord):
    """Everything that a report shows about one run that was judged.

    Attributes:
        evaluation: the content of evaluation.json: `target`, `sources`, `method`, `seed`, `step`, `figures`,
            `recalibration`, and more (docs/reference/run-folder.md).
        scores: frame scores of the target and of the sources' validation splits.
        examples: frames of the target to show, with their pictures.
    """

    evaluation: Row
    scores: Scores
    examples: list[Example]

    @property
    def target(self) -> Scores:
        """Return the target's frame scores, with labels, people and recordings; higher is more live.

        These are the rows of `scores`, in its order, whose domain is `evaluation["target"]`. They were computed
        by `rfmeta evaluate`, which wrote the read of the target's labels into the ledger. Nothing is read again
        here, so the ledger gets no line. There are 0 rows if the file has none of the target.
        """
        return self.scores.select(self.scores.domain == self.evaluation["target"])

    @property
    def validation(self) -> Scores:
        """Return the frame scores of the sources' validation splits, from which the threshold was chosen.

        These are the rows of `scores`, in its order, whose domain is not `evaluation["target"]`.
        """
        return self.scores.select(self.scores.domain != self.evaluation["target"])


def read_record(read: Callable[[str], bytes], run: str = "RUN") -> RunRecord:
    """Read the record of a run's folder.

    Args:
        read: returns a file's bytes by its name in `REMEDIES`, such as `Store.read` or a dict's `__getitem__`.
        run: path or URL of the run's folder, for errors.

    Raises:
        RunError: a file is missing or damaged, or lacks a field. The error names the file, and says how to make
            or restore it.
    """
    with _explained(run):
        return RunRecord(
            **_training(read),
            evaluation=_evaluation(read),
            scores=_parsed(read, "scores.parquet", Scores.from_parquet),
            examples=_parsed(read, "examples.parquet", examples.from_parquet),
            streams=_streams(read),
        )


@dataclass(frozen=True)
class JudgedRecord:
    """What a comparison needs of a run that was judged.

    Attributes:
        evaluation: the content of evaluation.json.
        target: the target's frame scores; none if the file has none of the target.
        manifest: fingerprint of the target's manifest when the run was last judged; empty if the ledger does
            not say.
    """

    evaluation: Row
    target: Scores
    manifest: str


def read_judged(folder: Store) -> JudgedRecord:
    """Read what a comparison needs from a run's folder.

    Raises:
        RunError: the run was not judged; or a file is missing or damaged, or lacks a field.
        StorageError: the folder cannot be read.
    """
    with _explained(folder.url):
        evaluation = _evaluation(folder.read)
        scores = _parsed(folder.read, "scores.parquet", Scores.from_parquet)
        ledger = _rows(folder.read, "ledger.jsonl", _READ)
    target = evaluation["target"]
    opened = [row["manifest"] for row in ledger if row["sealed"] and row["domain"] == target]
    return JudgedRecord(evaluation, scores.select(scores.domain == target), opened[-1] if opened else "")


def require_target(evaluation: Row, config: Config, run: str) -> None:
    """Check that a run was last judged on the target that it has now.

    Args:
        evaluation: the content of evaluation.json.
        config: the run's, which has a target.
        run: path or URL of the run's folder, for the error.

    Raises:
        RunError: it was judged on another domain or split.
    """
    wanted = config.data.target, config.evaluation.target_split
    judged = evaluation["target"], evaluation.get("target_split", wanted[1])
    if judged != wanted:
        raise RunError(
            f"run {run} was last judged on {judged[0]} (split: {judged[1]}), but its target is now "
            f"{wanted[0]} (split: {wanted[1]})",
            f"judge it again first: rfmeta evaluate {run}",
        )


def read_trained(folder: Store) -> TrainedRecord:
    """Read the record of a trained run that has no target, from the run's folder.

    Raises:
        RunError: the run has no model yet; or a file is missing or damaged, or lacks a field.
        StorageError: the folder cannot be read.
    """
    model = package.read(folder.sub("model"))
    validation = read_validation(folder, model)
    with _explained(folder.url):
        training = _training(folder.read)
        return TrainedRecord(**training, streams=_streams(folder.read), model=model, validation=validation)


@contextmanager
def _explained(run: str) -> Iterator[None]:
    """Convert the error about an unusable file into a RunError that names the run's folder and a remedy."""
    try:
        yield
    except _UnusableError as error:
        raise RunError(f"{run}{error}", REMEDIES[error.name].format(run=run)) from error.__cause__


class _UnusableError(Exception):
    """A file of a run is missing or damaged; `what` follows the path of the run's folder in the message."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.name = name


def _training(read: Callable[[str], bytes]) -> dict[str, Any]:
    """Return the fields of a `TrainingRecord` without `streams`, which is read last: a page needs it least."""
    return {
        "config": _text(read, "config.yaml"),
        "metrics": _rows(read, "metrics.jsonl", ("step", "seconds"))
        if _parsed(read, "config.yaml", in_steps)
        else [],
        "ledger": _rows(read, "ledger.jsonl", _READ),
        "traces": _traces(read),
    }


def _traces(read: Callable[[str], bytes]) -> list[str]:
    try:
        return starts.traces_in(read(starts.NAME))
    except (MissingError, FileNotFoundError, KeyError):
        return []


def _streams(read: Callable[[str], bytes]) -> dict[str, Row]:
    name = "streams.json"
    if not _parsed(read, "config.yaml", in_steps):
        return {}
    found = _with_fields(name, _parsed(read, name, json.loads), ())
    return {domain: _with_fields(name, done, _STREAM) for domain, done in found.items()}


def _bytes(read: Callable[[str], bytes], name: str) -> bytes:
    try:
        return read(name)
    except (MissingError, FileNotFoundError, KeyError) as error:
        raise _UnusableError(name, f" has no {name}, which the report needs") from error


def _damaged(name: str, why: object) -> _UnusableError:
    return _UnusableError(name, f"/{name} is damaged ({why})")


def _parsed(read: Callable[[str], bytes], name: str, parse: Callable[[bytes], T]) -> T:
    data = _bytes(read, name)
    try:
        return parse(data)
    except DataError as error:
        raise _damaged(name, error.problem) from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise _damaged(name, error) from error


def _text(read: Callable[[str], bytes], name: str) -> str:
    return _parsed(read, name, lambda data: data.decode())


def _rows(read: Callable[[str], bytes], name: str, required: tuple[str, ...]) -> list[Row]:
    def parse(data: bytes) -> list[object]:
        return [json.loads(line) for line in data.decode().splitlines() if line.strip()]

    return [_with_fields(name, row, required) for row in _parsed(read, name, parse)]


def _evaluation(read: Callable[[str], bytes]) -> Row:
    name = "evaluation.json"
    evaluation = _with_fields(name, _parsed(read, name, json.loads), _EVALUATION)
    _with_fields(name, evaluation, () if "classifier" in evaluation else _TRAINED)
    _with_fields(name, evaluation["figures"], ("frame", "video"))
    return evaluation


def _with_fields(name: str, row: object, required: tuple[str, ...]) -> Row:
    if not isinstance(row, dict):
        raise _damaged(name, "it is not a JSON object")
    missing = [field for field in required if field not in row]
    if missing:
        raise _damaged(name, f"it lacks {', '.join(missing)}")
    return row
