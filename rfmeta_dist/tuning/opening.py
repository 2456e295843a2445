"""Open the targets of a study that has ended, train what the regret needs, and write regret.json.

The order of events is what makes the comparison fair. First each choice file is compared with what the study
chose, and its hash goes into the ledger. Then the ledger says that the target is opened. Only then is a model
judged on it. All trainings are named by content, so an interrupted comparison continues.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.shards.manifest import Head
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs import pins
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning import regret, regret_report, sealing
from rfmeta_dist.tuning.known import Known
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.regret import Case
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import Opened, look, opened
from rfmeta_dist.tuning.view import View

FILE = "regret.json"


@dataclass(frozen=True)
class Cases:
    """What is compared in a study.

    Attributes:
        found: what is compared for each target.
        left_out: why nothing was chosen for a target, for the others.
    """

    found: tuple[Case, ...]
    left_out: Mapping[str, str]


def cases(known: Known, seeds: int) -> Cases:
    """Return what is compared for each target of a study that has ended.

    Args:
        known: the study.
        seeds: number of fresh seeds, at least 2.

    Raises:
        RunError: the study has not ended, or nothing was chosen for any target.
    """
    views = [known.view(target) for target in known.plan.targets]
    if missing := sum(len(view.wanted) for view in views):
        raise RunError(
            f"the study {known.folder.url} has not come to its end: {missing} figures are missing, and its "
            "targets' labels must not be looked at before",
            "give its `rfmeta tune STUDY` again, which does what is missing",
        )
    found, left_out = [], {}
    for view in views:
        try:
            found.append(regret.case(known.plan.study, view, seeds))
        except RunError as error:
            left_out[view.target] = error.problem
    if not found:
        raise RunError(next(iter(left_out.values())), "there is no choice to compare; start another study")
    return Cases(tuple(found), left_out)


def read(known: Known) -> dict[str, Any] | None:
    """Return the content of a study's regret.json; None if there is none.

    Raises:
        RunError: the file is damaged.
    """
    try:
        found: dict[str, Any] = json.loads(known.folder.read(FILE))
    except MissingError:
        return None
    except ValueError as error:
        raise RunError(
            f"{known.folder.url}/{FILE} is damaged",
            f"give `rfmeta tune regret {known.folder.url}` again, which writes it from the figures",
        ) from error
    return found


@contextmanager
def claimed(url: str) -> Iterator[Opened]:
    """Claim the folder of a study, as it is, while the context is open.

    Args:
        url: the study's folder.

    Raises:
        RunError: there is no study, it was searched with other code, or another process is searching.
        DataError: a domain cannot be used.
        StorageError: the folder or the data cannot be read or written.
    """
    before = look(url)
    with opened(_here(before)) as study:
        if study.state.code != before.state.code:
            raise RunError(
                f"the study {study.folder.url} was searched with the code {before.state.code}, but this is "
                f"{study.state.code}, so its figures cannot be compared with new ones",
                "use that version, or give `rfmeta tune STUDY` again with this one, which searches again",
            )
        yield study


def _here(known: Known) -> Study:
    """Return the study with the folder in which it is now, because it may have been moved."""
    study, (above, _, name) = known.plan.study, known.folder.url.rstrip("/").rpartition("/")
    if name != study.name:
        raise RunError(
            f"the folder {known.folder.url} holds the study {study.name}, so it was renamed",
            f"rename it to {study.name}",
        )
    here = open_store(study.folder).url.rstrip("/") == above
    return study if here else study.model_copy(update={"folder": above})


@dataclass
class Comparison:
    """The trainings of a comparison, and their figures.

    Attributes:
        study: the study, whose folder is claimed.
        cases: what is compared.
    """

    study: Opened
    cases: Cases
    _ordered: set[str] = field(default_factory=set)

    @property
    def begun(self) -> int:
        """Return how many trainings were ordered."""
        return len(self._ordered)

    def open_targets(self) -> None:
        """Write the hash of each choice into the ledger, then that the targets are opened, and pin their data.

        Raises:
            RunError: a choice file is missing, or was changed. Nothing is opened then.
            DataError: a target cannot be judged on. Nothing is opened then.
            StorageError: the folder or the data cannot be read or written.
        """
        study, targets = self.study, [case.target for case in self.cases.found]
        hashes = {target: self._require_choice(target) for target in targets}
        for target, sha256 in hashes.items():
            sealing.fix(study.folder, target, f"choice-to_{target}.yaml", sha256)
        heads = {target: self._head(target) for target in targets}
        already = sealing.openings(study.folder)
        for target, head in heads.items():
            if target not in already:
                self._record(head)
        study.manifests = pins.add(study.folder, {target: head.fingerprint for target, head in heads.items()})
        study.state = replace(study.state, opened=sealing.openings(study.folder))
        study.save_state()

    def _require_choice(self, target: str) -> str:
        """Return the SHA-256 of a target's choice file, if it is what the study chose."""
        file = f"choice-to_{target}.yaml"
        again = "give `rfmeta tune STUDY` again, which writes the file as it was chosen"
        try:
            data = self.study.folder.read(file)
        except MissingError:
            raise RunError(f"there is no {self.study.folder.url}/{file}", again) from None
        if data != self.study.choice_file(self.study.view(target)).encode():
            raise RunError(f"{self.study.folder.url}/{file} is not what the study chose: it was changed", again)
        return digest(data)

    def _head(self, target: str) -> Head:
        """Return the head of a target's manifest in the state that the study reads; no label is read."""
        study, pinned = self.study.plan.study, pins.read(self.study.folder)
        sources = tuple(domain for domain in study.domains if domain != target)
        data = study.base.data.model_copy(update={"sources": sources, "target": target})
        try:
            head = domains.open_target(study.base.model_copy(update={"data": data}), pinned)
        except DataError as error:
            raise DataError(
                f"the choice for target {target} is judged on its labelled data: {error.problem}", error.remedy
            ) from error
        if pinned.get(target, head.fingerprint) != head.fingerprint:
            raise DataError(
                f"the data of domain {target} that the study reads was deleted",
                "restore it from a backup, or start a new study with --set name=NEW",
            )
        return head

    def _record(self, head: Head) -> None:
        base = self.study.plan.study.base
        split = domains.target_split(base)
        samples = sum(head.count(split, label) for label in (0, 1))
        chosen, mark = base.evaluation.target_split, head.fingerprint
        runs.record(self.study.folder, sealing.REGRET, head.domain, chosen, samples, mark, sealed=True)

    def orders(self) -> list[Order]:
        """Return all trainings that are wanted now. Checkpoints of trainings with a figure are deleted."""
        self.study.look_again()
        wanted: dict[str, Order] = {}
        for case in self.cases.found:
            for candidate, seed in case.wanted(self.result):
                config = self._config(case.target, candidate, seed)
                until = config.training.steps
                figures = {case.target: self.study.name(config, case.target, until)}
                wanted[config.run.name] = Order(config, until, figures)
        self._ordered |= wanted.keys()
        self._tidy()
        self.study.checkpoints.expect(wanted)
        return list(wanted.values())

    def result(self, target: str, candidate: Candidate, seed: int) -> Result | None:
        """Return how a candidate that was trained on all sources does on the target; None if not known yet."""
        config = self._config(target, candidate, seed)
        return self.study.read(self.study.name(config, target, config.training.steps))

    def _config(self, target: str, candidate: Candidate, seed: int) -> Config:
        return self.study.config(candidate, seed, (target,))

    def _tidy(self) -> None:
        self.study.checkpoints.remove(
            self._config(case.target, candidate, seed)
            for case in self.cases.found
            for candidate, seed, _ in case.judged(self.result)
        )

    def report(self) -> dict[str, Any]:
        """Write regret.json, with every figure and its seed, and return its content.

        Raises:
            RunError: a figure is missing.
        """
        study, folder = self.study, self.study.folder
        study.look_again()
        if missing := sum(len(case.wanted(self.result)) for case in self.cases.found):
            raise RunError(
                f"{missing} figures of the comparison are missing",
                f"give `rfmeta tune regret {folder.url}` again, which does what is missing",
            )
        facts = {case.target: self._facts(study.view(case.target)) for case in self.cases.found}
        told = regret_report.content(study.plan.study, self.cases.found, facts, self.result)
        report = {**told, "left_out": dict(self.cases.left_out)}
        folder.write(FILE, json.dumps(report, indent=1, ensure_ascii=False).encode())
        return report

    def _facts(self, view: View) -> dict[str, Any]:
        return {
            "opened": self.study.state.opened[view.target]["time"],
            "continued": bool(self.study.looked_at(view)),
            "choice_sha256": digest(self.study.choice_file(view).encode()),
            "manifest": self.study.manifests[view.target],
        }
