"""Check from what is stored whether a version may be promoted: package, verdict, scores and audit log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.retrain.attempts import Attempt, attempts
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.challenger import PACKAGE
from rfmeta_dist.retrain.promotion import Champion, champion
from rfmeta_dist.retrain.quarantine import quarantined
from rfmeta_dist.retrain.recompute import recompute
from rfmeta_dist.retrain.registering import PAIRS, VERDICT
from rfmeta_dist.retrain.registry import Version
from rfmeta_dist.retrain.verdict import PROMOTED
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import open_store

APPROVE = "approve"  # outcome of an attempt that passed the gate and waits for a person


@dataclass(frozen=True)
class Checked:
    """What the checks of a version found, in words.

    Attributes:
        damaged: what was edited, is missing or does not belong together. Such a version is never promoted.
        against: what else speaks against a promotion. A person may promote the version anyway.
        verdict: content of verdict.json; None for a first model, which was compared with none, and for a
            version that no attempt has made.
    """

    damaged: tuple[str, ...]
    against: tuple[str, ...]
    verdict: Mapping[str, Any] | None

    @property
    def sentence(self) -> str:
        """Return the verdict in words, as the attempt has stored it."""
        if self.verdict is None:
            return "It was compared with no other model."
        return str(self.verdict.get("sentence", "The verdict has no sentence."))


def waiting(config: Retraining) -> list[Attempt]:
    """Return the attempts that wait for approval: they passed the gate against the present champion.

    Raises:
        RunError: a file of an attempt is damaged.
        StorageError: a store cannot be read.
    """
    now = champion(open_store(config.registry_place))
    found = [one for one in attempts(open_store(config.place)) if (one.outcome or {}).get("outcome") == APPROVE]
    return [one for one in found if _compared_with(one, now)]


def attempt_of(version: Version) -> Attempt | None:
    """Return the attempt that made a version; None if it was registered without one."""
    place = version.tags.get("attempt")
    return Attempt(open_store(place)) if place else None


def check(config: Retraining, attempt: Attempt | None, version: Version | None) -> Checked:
    """Check a version, or an attempt that is not registered yet. The verdict is computed again from the scores.

    Args:
        config: the retraining.
        attempt: the attempt that made it; None if the version was registered without one.
        version: the version; None if the attempt is not registered yet.

    Raises:
        RunError: attempt.json is damaged.
        StorageError: the registry cannot be read.
    """
    store = open_store(config.registry_place)
    Log(store).check(version.tags.get("audit", "") if version else "")
    damaged, sha256 = _package(attempt, version)
    if attempt is None:
        return Checked(
            tuple(damaged), ("no attempt of this retraining has made it, so it was not judged",), None
        )
    asked, verdict = attempt.asked, None
    if asked.champion is not None:
        try:
            verdict = attempt.read(VERDICT)
            damaged += _evidence(attempt, version, verdict, sha256)
        except RfmetaError as error:
            damaged.append(error.problem)
    return Checked(tuple(damaged), tuple(_against(config, attempt, verdict)), verdict)


def _package(attempt: Attempt | None, version: Version | None) -> tuple[list[str], str]:
    """Return what is wrong with the deployment package, and its SHA-256; "" if it cannot be read."""
    place = version.package if version else attempt.folder.sub(PACKAGE).url if attempt else ""
    try:
        sha256 = deployment.read(open_store(place)).sha256
    except RfmetaError as error:
        return [error.problem], ""
    if version and sha256 != version.tags.get("package"):
        return [f"the package at {place} is not the one that was registered"], sha256
    return [], sha256


def _evidence(
    attempt: Attempt, version: Version | None, verdict: Mapping[str, Any] | None, package: str
) -> list[str]:
    """Return what is wrong with the stored verdict and the scores that it was computed from."""
    tags = version.tags if version else {}
    try:
        files = {name: attempt.folder.read(name) for name in (VERDICT, PAIRS)}
    except MissingError as error:
        return [error.problem]
    assert verdict is not None  # it was read before, and is not missing
    for name, tag in ((VERDICT, "verdict"), (PAIRS, "scores")):
        if tag in tags and digest(files[name]) != tags[tag]:
            return [f"{attempt.folder.url}/{name} was edited after the version was registered"]
    if wrong := recompute(files[PAIRS], verdict):
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return [
            f"{attempt.folder.url}/{VERDICT} is not what the stored scores give ({'; '.join(wrong[:3])}{more})"
        ]
    if package and verdict["packages"]["challenger"] != package:
        return [f"{attempt.folder.url}/{VERDICT} is about another package"]
    if verdict["tries"] != attempt.asked.forced + 1:
        return [f"{attempt.folder.url}/{VERDICT} says try {verdict['tries']}, not {attempt.asked.forced + 1}"]
    return []


def _against(config: Retraining, attempt: Attempt, verdict: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what speaks against a promotion although nothing is damaged."""
    store, asked = open_store(config.registry_place), attempt.asked
    now = champion(store)
    if verdict is not None and verdict.get("decision") != PROMOTED:
        yield f"the verdict is {verdict.get('decision')}, not {PROMOTED}"
    if verdict is not None and verdict.get("settings") != config.gate.model_dump():
        yield "the verdict was made with other settings of the gate than the configuration has now"
    if not _compared_with(attempt, now):
        was = f"version {asked.champion['number']}" if asked.champion else "no other version"
        there = f"the champion is version {now.number} now" if now else "there is no champion now"
        yield f"it was compared with {was}; since then somebody promoted or rolled back, and {there}"
    aside = quarantined(store)
    if attempt.identity in aside.identities:
        yield "a rollback has put this data, code and configuration aside"
    used = {(domain, name) for domain, names in asked.batches.items() for name in names}
    for domain, name in sorted(used & aside.batches):
        yield f"it was trained on the batch {name} of domain {domain}, which a rollback has put aside"


def _compared_with(attempt: Attempt, now: Champion | None) -> bool:
    asked = attempt.asked.champion
    return (asked["decided"] if asked else None) == (now.decided if now else None)
