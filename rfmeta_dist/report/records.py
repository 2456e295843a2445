"""Read and check the files of a run from which a report is made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.evaluation import examples
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.storage.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfmeta_dist.evaluation.examples import Example

    Row = dict[str, Any]

T = TypeVar("T")

# Which command writes each file of a run.
MADE_BY = {
    "config.yaml": "rfmeta train CONFIG",
    "metrics.jsonl": "rfmeta train CONFIG",
    "streams.json": "rfmeta train CONFIG",
    "ledger.jsonl": "rfmeta evaluate RUN",
    "evaluation.json": "rfmeta evaluate RUN",
    "scores.parquet": "rfmeta evaluate RUN",
    "examples.parquet": "rfmeta evaluate RUN",
}
_EVALUATION = ("target", "sources", "method", "seed", "step", "figures", "recalibration")
_STREAM = ("bytes_read", "shards_read", "cache_hits", "retries", "samples")
_READ = ("time", "domain", "split", "samples", "manifest", "sealed")


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report shows about one run.

    Attributes:
        config: the configuration file as text.
        metrics: one row for each training step, in order: `step`, `loss`, its parts, `seconds`, …
        ledger: one row for each read of data: `time`, `command` or `purpose`, `domain`, `split`, `samples`,
            `manifest` (SHA-256 in hex) and `sealed` (True for the sealed evaluation of the target).
        evaluation: `target`, `sources`, `method`, `seed`, `step`, `figures`, `recalibration`.
        scores: frame scores of the target and of the sources' validation splits.
        examples: frames to show.
        streams: for each domain, what was read and how long training waited for it (core/totals.py).
    """

    config: str
    metrics: list[Row]
    ledger: list[Row]
    evaluation: Row
    scores: Scores
    examples: list[Example]
    streams: dict[str, Row]

    @property
    def target(self) -> Scores:
        """Return the frame scores of the target domain."""
        return self.scores.select(self.scores.domain == self.evaluation["target"])

    @property
    def validation(self) -> Scores:
        """Return the frame scores of the sources' validation splits."""
        return self.scores.select(self.scores.domain != self.evaluation["target"])


def read_record(read: Callable[[str], bytes]) -> RunRecord:
    """Read the record of a run's folder.

    Args:
        read: returns a file's bytes by its name in `MADE_BY`, such as `Store.read` or a dict's `__getitem__`.

    Raises:
        RunError: a file is missing or damaged, or lacks a field. The error names the file and the command that
            makes it.
    """
    return RunRecord(
        config=_text(read, "config.yaml"),
        metrics=_rows(read, "metrics.jsonl", ("step", "seconds")),
        ledger=_rows(read, "ledger.jsonl", _READ),
        evaluation=_evaluation(read),
        scores=_parsed(read, "scores.parquet", Scores.from_parquet),
        examples=_parsed(read, "examples.parquet", examples.from_parquet),
        streams=_streams(read),
    )


def _streams(read: Callable[[str], bytes]) -> dict[str, Row]:
    name = "streams.json"
    found = _with_fields(name, _parsed(read, name, json.loads), ())
    return {domain: _with_fields(name, done, _STREAM) for domain, done in found.items()}


def _bytes(read: Callable[[str], bytes], name: str) -> bytes:
    try:
        return read(name)
    except (MissingError, FileNotFoundError, KeyError) as error:
        raise RunError(
            f"the run has no {name}, which the report needs", f"run `{MADE_BY[name]}` first, which makes it"
        ) from error


def _damaged(name: str, why: object) -> RunError:
    return RunError(f"{name} is damaged ({why})", f"make it again with `{MADE_BY[name]}`")


def _parsed(read: Callable[[str], bytes], name: str, parse: Callable[[bytes], T]) -> T:
    data = _bytes(read, name)
    try:
        return parse(data)
    except (DataError, ValueError) as error:  # ValueError: not UTF-8, not JSON
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
    _with_fields(name, evaluation["figures"], ("frame", "video"))
    return evaluation


def _with_fields(name: str, row: object, required: tuple[str, ...]) -> Row:
    if not isinstance(row, dict):
        raise _damaged(name, "it is not a JSON object")
    missing = [field for field in required if field not in row]
    if missing:
        raise _damaged(name, f"it lacks {', '.join(missing)}")
    return row
