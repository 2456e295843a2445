"""Keep the attempts of a retraining: what each was asked to train, and what became of it.

    attempts/{number}-{identity[:8]}/attempt.json    what is asked; created first
                                     starts.jsonl    the processes that worked on it, with their trace ids
                                     samples.bin     the samples that it trains and judges on (known.py)
                                     run/, package/  the training, and the package that would be deployed
                                     test.parquet    its scores of all test splits, by frame
                                     intake.json, scores.parquet, verdict.json, page.html
                                     outcome.json    what became of it; created last

An attempt without outcome.json is continued by the next `rfmeta retrain`. Each step writes its result at its
end, and is skipped if the result is there, so a process may be killed at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.retrain.known import Known
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.store import Store

FOLDER = "attempts"
ASKED, SAMPLES, OUTCOME = "attempt.json", "samples.bin", "outcome.json"
TESTED = "test.parquet"


@dataclass(frozen=True)
class Asked:
    """What an attempt is to train.

    Attributes:
        number: from 1, in the order in which attempts begin.
        reasons: why, as sentences.
        pins: fingerprint of the manifest of each domain that it trains and judges on.
        code: version of this package and a hash of its files (runs/starts.py).
        configuration: digest of all that the weights depend on beside data and code.
        champion: `number`, `attempt`, `since` and `decided` (see promotion.py) of the champion at the start;
            None if there is none.
        forced: how often this data, code and configuration was tried before.
        seed: seed of the training.
        batches: names of all batches in the states, by domain.
        new_batches: those of them with samples that the champion does not know.
        started: time in UTC.
        reviewed: domain and name of each batch that was reviewed at the start.
    """

    number: int
    reasons: tuple[str, ...]
    pins: Mapping[str, str]
    code: str
    configuration: str
    champion: Mapping[str, Any] | None
    forced: int
    seed: int
    batches: Mapping[str, Sequence[str]]
    new_batches: Mapping[str, Sequence[str]]
    started: str
    reviewed: Sequence[tuple[str, str]] = ()


class Attempt:
    """One attempt.

    Args:
        folder: the attempt's folder.
    """

    def __init__(self, folder: Store) -> None:
        self.folder = folder

    @cached_property
    def asked(self) -> Asked:
        """Return what is asked.

        Raises:
            RunError: the file is damaged or missing.
        """
        found = self.read(ASKED)
        if found is None:
            raise self.missing(ASKED)
        try:
            return Asked(**{**found, "reasons": tuple(found["reasons"])})
        except (KeyError, TypeError) as error:
            raise self.damaged(ASKED, repr(error)) from error

    @cached_property
    def known(self) -> Known:
        """Return the samples that it trains and judges on.

        Raises:
            RunError: the file is damaged or missing.
        """
        try:
            return Known.parse(self.folder.read(SAMPLES), f"{self.folder.url}/{SAMPLES}")
        except MissingError as error:
            raise self.missing(SAMPLES) from error

    @property
    def outcome(self) -> dict[str, Any] | None:
        """Return what became of it; None if it has not ended."""
        return self.read(OUTCOME)

    @property
    def identity(self) -> str:
        """Return a hash of data, code and configuration. What has the same identity is not trained twice."""
        asked = self.asked
        return identity(self.known.digest, asked.code, asked.configuration)

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the content of a JSON file; None if there is none.

        Raises:
            RunError: the file is damaged.
        """
        try:
            found: dict[str, Any] = json.loads(self.folder.read(name))
        except MissingError:
            return None
        except ValueError as error:
            raise self.damaged(name, str(error)) from error
        return found

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        self.folder.write(name, as_json(content))

    def end(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Write what became of the attempt, once: an outcome that is there already is returned instead.

        Args:
            outcome: `outcome` in one word, `why`, `ended` (time in UTC), and further facts.
        """
        try:
            self.folder.create(OUTCOME, as_json(outcome))
        except AlreadyExistsError:
            return self.outcome or dict(outcome)
        return dict(outcome)

    def missing(self, name: str) -> RunError:
        """Return the error for a missing file of the attempt, of which a version or a decision is in need."""
        return RunError(
            f"{self.folder.url}/{name} does not exist: the attempt, or a part of it, was deleted or moved",
            "restore it from a copy. If it is gone and its model is the champion, make another version the "
            "champion (rfmeta models rollback), or begin anew under another `name`",
        )

    def damaged(self, name: str, why: str) -> RunError:
        """Return the error for a damaged file of the attempt."""
        return RunError(
            f"{self.folder.url}/{name} is damaged ({why})",
            "restore it from a copy, or delete the attempt's folder",
        )


def identity(samples: str, code: str, configuration: str) -> str:
    """Return a hash of data, code and configuration, in hex."""
    return digest(json.dumps([samples, code, configuration]).encode())


def begin(store: Store, asked: Asked, known: Known) -> Attempt:
    """Create an attempt. The caller holds the lease of the retraining.

    Args:
        store: the retraining's folder.
        asked: what is asked.
        known: the samples of the states that it is pinned to.
    """
    mark = identity(known.digest, asked.code, asked.configuration)[:8]
    folder = store.sub(f"{FOLDER}/{asked.number:04d}-{mark}")
    folder.write(SAMPLES, known.to_bytes())  # first, because an attempt counts from its attempt.json on
    folder.create(ASKED, as_json(vars(asked)))
    return Attempt(folder)


def attempts(store: Store) -> list[Attempt]:
    """Return all attempts that have begun, in their order."""
    above = store.sub(FOLDER)
    found = sorted(name for name in above.list() if name.count("/") == 1 and name.endswith(f"/{ASKED}"))
    return [Attempt(above.sub(name.partition("/")[0])) for name in found]


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return the content as JSON."""
    return (json.dumps(dict(content), indent=1, ensure_ascii=False) + "\n").encode()


def now() -> str:
    """Return the time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
