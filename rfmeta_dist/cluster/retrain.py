"""Work on an attempt: check the new data, train, export, judge, and promote if that may be.

Each step writes its result at its end, and is skipped if the result is there. So whatever interrupts an
attempt, the next `rfmeta retrain` continues it. The states of the domains are pinned, so it ends as if nothing
had happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rfmeta_dist.cluster.challenger import Display, Scorer, Tell, export, train
from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.report.retraining import render
from rfmeta_dist.retrain.alike import stored_images
from rfmeta_dist.retrain.approval import compared_with
from rfmeta_dist.retrain.arrivals import Arrived
from rfmeta_dist.retrain.attempts import ASKED, TESTED, Attempt, now
from rfmeta_dist.retrain.challenger import PACKAGE, configuration
from rfmeta_dist.retrain.frozen import JUDGED, new_videos, reviewed
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.intake import Judged, check
from rfmeta_dist.retrain.known import NOTHING, Known
from rfmeta_dist.retrain.pairs import Pairs
from rfmeta_dist.retrain.promotion import OvertakenError, champion
from rfmeta_dist.retrain.quarantine import quarantined
from rfmeta_dist.retrain.registering import PAIRS, VERDICT, promote, register
from rfmeta_dist.retrain.states import lost
from rfmeta_dist.retrain.watch import ABANDONED, OVERTAKEN, STOPPED, digest_of
from rfmeta_dist.runs import starts
from rfmeta_dist.storage.store import open_store

BEFORE = "champion.parquet"  # the champion's scores of the frozen set and of all new samples, by frame
INTAKE, PAGE = "intake.json", "page.html"
FIRST = {"decision": "promoted", "sentence": "It is the first model, so there is none to compare it with."}


@dataclass(frozen=True)
class Doing:
    """How the work is done and shown.

    Attributes:
        tell: called with each message for the user.
        display: opens the display of the training's steps.
        slots: number of CPUs of a local Ray; the machine's cores if None.
        address: the cluster to train on; Ray starts on this machine if None.
        drift: what the drift watch found, for the page; None if it did not look.
    """

    tell: Tell
    display: Display
    slots: int | None = None
    address: str | None = None
    drift: dict[str, Any] | None = None


def work(config: Retraining, attempt: Attempt, doing: Doing) -> dict[str, Any]:
    """Work on an attempt until it ends, and return its outcome.

    Args:
        config: the retraining. Its lease is held.
        attempt: the attempt, which has begun.
        doing: how the work is done and shown.

    Raises:
        RfmetaError: something failed. The same call continues.
    """
    return _Work(config, attempt, doing).run()


class _Work:
    def __init__(self, config: Retraining, attempt: Attempt, doing: Doing) -> None:
        self._config, self._attempt, self._doing = config, attempt, doing
        self._threads = config.base.training.threads
        asked = attempt.asked.champion
        self._champion = Attempt(open_store(asked["attempt"])) if asked else None
        self._version: int | None = None
        self._audit = ""  # head of the audit log after the promotion

    def run(self) -> dict[str, Any]:
        """Do what is left to do."""
        ended = self._attempt.outcome
        if ended is not None:
            return ended
        starts.note(self._attempt.folder)
        return self._ended(*(self._in_vain() or self._done()))

    def _in_vain(self) -> tuple[str, str] | None:
        """Return outcome and reason of an attempt that cannot go on as it began; None if it can.

        Without this, an interrupted attempt would fail in the same way every night.
        """
        config, attempt = self._config, self._attempt
        if attempt.folder.exists(VERDICT if self._champion else TESTED):
            return None  # it was judged, and needs neither data nor configuration any more
        asked, then = attempt.asked, "The next rfmeta retrain begins a new attempt"
        if not compared_with(attempt, champion(open_store(config.registry_place))):
            return OVERTAKEN, f"the champion is another one than when this attempt began. {then}"
        if asked.configuration != digest_of(config):
            return ABANDONED, f"the configuration was changed after this attempt began. {then}"
        if gone := lost(open_store(config.base.data.prefix), asked.pins):
            return ABANDONED, f"{gone}. {then}"
        return None

    @cached_property
    def _known(self) -> Known:
        return self._champion.known if self._champion else NOTHING

    @cached_property
    def _manifests(self) -> dict[str, Manifest]:
        store = open_store(self._config.base.data.prefix)
        return {name: Manifest.open(store, name, state) for name, state in self._attempt.asked.pins.items()}

    @cached_property
    def _new(self) -> dict[str, NDArray[np.bool_]]:
        """Return for each domain which rows of its table of samples are new to the champion."""
        return {name: self._known.new_in(manifest) for name, manifest in self._manifests.items()}

    def _done(self) -> tuple[str, str]:
        """Do all steps, and return the outcome and why."""
        config, attempt, doing = self._config, self._attempt, self._doing
        if self._champion and (refused := self._intake(self._champion)):
            return STOPPED, refused
        chosen = configuration(config, attempt)
        train(chosen, attempt, doing.display, doing.tell, slots=doing.slots, address=doing.address)
        export(attempt, config.name, doing.tell)
        self._tested()
        verdict = self._judged(self._champion) if self._champion else FIRST
        return self._promoted(verdict)

    def _incomparable(self) -> str:
        """Return why nothing could be compared with the champion after a training; "" if that can be done."""
        labels: set[int] = set()
        for name, manifest in self._manifests.items():
            table = manifest.samples
            frozen = ~self._new[name] & (np.array(table["split"].to_pylist()) == JUDGED)
            labels |= set(table["label"].filter(pa.array(frozen)).to_pylist())
        if not (lacking := [CLASSES[label] for label in (1, 0) if label not in labels]):
            return ""
        return (
            f"The test splits have no {' and no '.join(lacking)} samples any more that the champion knows, so "
            "no challenger can be compared with it. Publish the domains as they were, and add new data as "
            "batches (rfmeta ingest … --into), or begin anew under another `name`."
        )

    def _intake(self, champion: Attempt) -> str:
        """Check the new data, say what was found, and return why nothing may be trained on it; "" if it may."""
        found = self._attempt.read(INTAKE)
        if found is None:
            if incomparable := self._incomparable():
                return incomparable
            found = self._checked(champion)
            self._attempt.write(INTAKE, found)
        for finding in found["findings"]:
            self._doing.tell(f"{finding['severity']}: {finding['words']}")
        return " ".join(f["words"] for f in found["findings"] if f["severity"] == "refuse")

    def _checked(self, champion: Attempt) -> dict[str, Any]:
        """Return what the checks of the new data find, and how the champion does on it before any training."""
        scores, threshold = self._before(champion), _threshold(champion)
        arrived = [Arrived(manifest, self._new[name]) for name, manifest in self._manifests.items()]
        keys = {
            key for one in arrived for key in one.manifest.samples["key"].filter(pa.array(one.new)).to_pylist()
        }
        new = np.array([key in keys for key in scores.key.tolist()], np.bool_)
        judged = Judged(scores.select(new), scores.select(~new), threshold)
        findings = check(arrived, judged, stored_images(open_store(self._config.base.data.prefix)))
        tested = scores.select(new & (scores.split == JUDGED)).per_video()
        return {
            "findings": [finding.as_dict() for finding in findings],
            "before": {
                kind: _errors(tested, kind, threshold) for kind in sorted(set(tested.attack_type.tolist()))
            },
        }

    def _before(self, champion: Attempt) -> Scores:
        """Return the champion's scores of all test samples, and of all samples that are new to it."""
        folder = self._attempt.folder
        if folder.exists(BEFORE):
            return Scores.from_parquet(folder.read(BEFORE))
        self._doing.tell("the champion scores the new data and the frozen set")
        keys: set[str] = set()
        for name, manifest in self._manifests.items():
            table = manifest.samples
            wanted = self._new[name] | (np.array(table["split"].to_pylist()) == JUDGED)
            keys |= set(table["key"].filter(pa.array(wanted)).to_pylist())
        scorer = Scorer(champion, self._threads)
        found = scorer.score(self._config.base, self._manifests, None, keys)
        folder.write(BEFORE, found.to_parquet(scorer=scorer.package.scorer))
        return found

    def _tested(self) -> Scores:
        """Return the scores that the challenger's package gives to all test samples, by frame."""
        folder = self._attempt.folder
        if folder.exists(TESTED):
            return Scores.from_parquet(folder.read(TESTED))
        self._doing.tell("the challenger scores the test splits")
        scorer = Scorer(self._attempt, self._threads)
        found = scorer.score(self._config.base, self._manifests, JUDGED, None)
        folder.write(TESTED, found.to_parquet(scorer=scorer.package.scorer))
        return found

    def _judged(self, champion: Attempt) -> dict[str, Any]:
        """Return the verdict on the challenger, from the scores that both packages give to the test videos."""
        attempt = self._attempt
        if not attempt.folder.exists(PAIRS):
            before = self._before(champion)
            packages = [deployment.read(one.folder.sub(PACKAGE)) for one in (champion, attempt)]
            pairs = Pairs.of(
                before.select(before.split == JUDGED).per_video(),
                self._tested().per_video(),
                (packages[0].thresholds["video"].value, packages[1].thresholds["video"].value),
                (packages[0].sha256, packages[1].sha256),
                new_videos(self._manifests.values(), self._known),
                reviewed(self._manifests.values()),
            )
            attempt.folder.write(PAIRS, pairs.to_parquet())
        found = attempt.read(VERDICT)
        if found is None:
            found = judge(
                Pairs.from_parquet(attempt.folder.read(PAIRS)), self._config.gate, attempt.asked.forced + 1
            ).as_dict()
            attempt.write(VERDICT, found)
        return found

    def _promoted(self, verdict: Mapping[str, Any]) -> tuple[str, str]:
        """Promote the challenger if that may be, and return the outcome and why."""
        config, attempt = self._config, self._attempt
        decision, why = str(verdict["decision"]), str(verdict["sentence"])
        passed = decision == "promoted"
        if passed and attempt.identity in quarantined(open_store(config.registry_place)).identities:
            passed, decision, why = (
                False,
                "refused",
                "a rollback has put this data, code and configuration aside",
            )
        if config.promotion == "approve":
            to_do = "To promote it, give: rfmeta models promote RETRAIN.yaml"
            return ("approve", f"{why} {to_do}") if passed else (decision, why)
        version = register(config, attempt)
        self._version = version.number
        if not passed:
            return decision, why
        try:
            self._audit = promote(config, attempt, version, {"why": why, "by": "the gate"})
            self._doing.tell(f"head of the audit log: {self._audit}")
        except OvertakenError as error:
            return OVERTAKEN, error.problem
        return decision, why

    def _ended(self, outcome: str, why: str) -> dict[str, Any]:
        """Write the page and then the outcome, which ends the attempt."""
        config, attempt = self._config, self._attempt
        told = {"outcome": outcome, "why": why, "ended": now(), "version": self._version, "audit": self._audit}
        known = {
            "name": config.name,
            "folder": attempt.folder.url,
            "asked": attempt.read(ASKED),
            "intake": attempt.read(INTAKE),
            "verdict": attempt.read(VERDICT),
            "drift": self._doing.drift,
            "audit": self._audit,
            "outcome": told,
            "traces": starts.traces(attempt.folder),
        }
        attempt.folder.write(PAGE, render(known).encode())
        return attempt.end(told)


def _threshold(of: Attempt) -> float:
    """Return the threshold for videos of an attempt's deployment package."""
    return deployment.read(of.folder.sub(PACKAGE)).thresholds["video"].value


def _errors(videos: Scores, kind: str, threshold: float) -> dict[str, int]:
    """Return the number of videos of an attack type, or live ones, and how many of them are judged wrongly."""
    of = videos.select(videos.attack_type == kind)
    wrong = (of.score >= threshold) != (of.label == 1)
    return {"videos": len(of), "wrong": int(wrong.sum())}
