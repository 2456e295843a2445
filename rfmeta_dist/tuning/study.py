"""Open a study: claim its folder, pin its data, and find which of its trainings are still to be done.

study.json               the study as it was last given
manifests.json           fingerprint of the manifest that the study reads, for each domain (runs/pins.py)
choice-to_T.yaml         the configuration that was chosen for target T, for `rfmeta train`
trace-to_T.jsonl         what led to the choice: each candidate with its figures

Beside the study's folder, `trainings/` and `figures/` hold what several studies share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RfmetaError, RunError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.runs import pins, starts
from rfmeta_dist.runs.folder import MAY_DIFFER
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import choice, folds, results
from rfmeta_dist.tuning.choice import Score
from rfmeta_dist.tuning.folds import Figure, Training
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.proposals import Candidate, candidates
from rfmeta_dist.tuning.results import Result

FILE = "study.json"
# More of these may be asked for later. What was trained for the earlier ones is found again.
MAY_GROW = ("search.candidates", "seeds", "targets")


@dataclass(frozen=True)
class Plan:
    """What a study needs, as a pure function of its file.

    Attributes:
        study: the study.
    """

    study: Study

    @cached_property
    def candidates(self) -> list[Candidate]:
        """Return the candidates; the first is the base."""
        return candidates(self.study)

    @cached_property
    def trainings(self) -> dict[Training, tuple[str, ...]]:
        """Return the trainings, each with the domains on which its model is to be judged."""
        return folds.trainings(self.study, self.candidates)

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the targets for which a configuration is chosen."""
        return self.study.targets or self.study.domains

    @property
    def domains_read(self) -> list[str]:
        """Return the domains whose data is read: every source of a target. A single target is not read."""
        return [d for d in self.study.domains if any(target != d for target in self.targets)]


@dataclass(frozen=True)
class Wanted:
    """A training of a study, ready to be done.

    Attributes:
        config: its configuration, whose run is named by content.
        figures: name of the object of each of its figures, by the domain on which it is judged.
    """

    config: Config
    figures: Mapping[str, str]


@dataclass(frozen=True)
class Opened:
    """A study whose folder is claimed and whose data is pinned.

    Attributes:
        plan: the study's plan.
        folder: the study's folder.
        shared: the folder above it, which holds trainings and figures.
        manifests: fingerprint of the manifest to read, by domain.
        lease: token of this process's lease of the folder that holds the trainings.
    """

    plan: Plan
    folder: Store
    shared: Store
    manifests: Mapping[str, str]
    lease: str

    @property
    def failures(self) -> Store:
        """Return the folder of figures that say that a training failed on this cluster."""
        return self.folder.sub("failures")

    def orders(self) -> list[Order]:
        """Return what is to be done, in order: each training to its last step."""
        return [Order(one.config, one.config.training.steps, one.figures) for one in self.pending()]

    @cached_property
    def wanted(self) -> dict[Training, Wanted]:
        """Return every training of the study in order. Candidates with equal trainings share them."""
        code = f"{starts.code()} torch {version('torch')} {_weights(self.plan.study.base)}"
        by_number = {candidate.number: candidate for candidate in self.plan.candidates}
        found = {}
        for training, judged in self.plan.trainings.items():
            candidate = by_number[training.candidate]
            config = folds.configuration(self.plan.study, candidate, training, self.manifests, code)
            names = {domain: results.name(config, domain, self.manifests[domain]) for domain in judged}
            found[training] = Wanted(config, names)
        return found

    def pending(self) -> list[Wanted]:
        """Return the trainings of which a figure is missing, each with its missing figures only."""
        missing: dict[str, Wanted] = {}
        for wanted in self.wanted.values():
            names = {d: n for d, n in wanted.figures.items() if self._read(n) is None}
            name = wanted.config.run.name
            if names and name not in missing:
                missing[name] = Wanted(wanted.config, names)
        return list(missing.values())

    def scores(self, target: str) -> list[Score]:
        """Return the score of each candidate for a target, from the figures that the target asked for.

        Raises:
            RunError: a figure is missing, because the study has not come to its end.
        """
        plan, found = self.plan, {}
        for figure in folds.asked(plan.study, target, plan.candidates):
            found[figure] = self._result(figure)
        return choice.scores(plan.study, target, plan.candidates, found)

    def _read(self, name: str) -> Result | None:
        return results.read(self.shared, name) or results.read(self.failures, name)

    def _result(self, figure: Figure) -> Result:
        result = self._read(self.wanted[figure.training].figures[figure.judged])
        if result is None:
            raise RunError(
                f"the study {self.folder.url} lacks the figure of candidate {figure.training.candidate} "
                f"without {' and '.join(figure.training.without)}, judged on {figure.judged}",
                "give the same command again, which does what is missing",
            )
        return result

    def choose(self, target: str) -> list[Score]:
        """Write a target's choice file and trace, and return the score of each candidate.

        Raises:
            RunError: a figure is missing, or every candidate failed.
        """
        study, scored = self.plan.study, self.scores(target)
        self.folder.write(f"trace-to_{target}.jsonl", choice.trace(study, target, scored))
        self.folder.write(f"choice-to_{target}.yaml", choice.as_yaml(study, target, scored).encode())
        return scored


@contextmanager
def opened(study: Study) -> Iterator[Opened]:
    """Claim a study's folder and pin its data while the context is open.

    Meanwhile no other study can search in the same `folder`, because studies share their trainings.

    Raises:
        RunError: the folder belongs to another study or run, or another process is searching.
        DataError: a domain cannot be used.
        StorageError: the folder or the data cannot be read or written.
    """
    plan = Plan(study)
    shared = open_store(study.folder)
    folder = shared.sub(study.name)
    require_put_if_absent(shared)
    with lease.held(shared.sub(folds.TRAININGS), lease.SEARCHED) as right:
        _require_same(folder, plan)
        manifests = _manifests(plan, pins.read(folder))  # mistakes in the data are found before the claim
        folder.write(FILE, json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False).encode())
        pinned = pins.add(folder, manifests)
        yield Opened(plan, folder, shared, {name: pinned[name] for name in manifests}, right.token)


def _require_same(folder: Store, plan: Plan) -> None:
    """Check that the folder is free, or holds an earlier start of this study that asked for no more."""
    try:
        before = Study.model_validate_json(folder.read(FILE))
    except MissingError:
        if folder.exists("config.yaml"):
            raise RunError(
                f"{folder.url} is the folder of a run", "give the study another name: --set name=…"
            ) from None
        return
    except (ValidationError, RfmetaError) as error:
        raise RunError(
            f"{folder.url}/{FILE} is damaged, or from another version of this package",
            "start a new study with --set name=…; it finds the trainings that are done",
        ) from error
    left, right = _flat(before.model_dump(mode="json")), _flat(plan.study.model_dump(mode="json"))
    differing = [name for name in sorted(left.keys() | right.keys()) if left.get(name) != right.get(name)]
    differing = [name for name in differing if not _may_differ(name)]
    earlier = Plan(before).candidates
    if plan.candidates[: len(earlier)] != earlier and not differing:
        differing.append("search.candidates or the order of space")
    if plan.study.seeds[: len(before.seeds)] != before.seeds:
        differing.append("seeds")
    if differing:
        raise RunError(
            f"{folder.url} holds a study that differs in {', '.join(differing)}; candidates, seeds and targets "
            "may be added, but nothing else may change",
            "set these fields as they were, or start a new study with --set name=NEW",
        )


def _may_differ(name: str) -> bool:
    run_field = name.removeprefix("base.")
    return name in MAY_GROW or name == "folder" or run_field.startswith("run.") or run_field in MAY_DIFFER


def _flat(tree: Mapping[str, object], above: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value and above != "space.":
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[above + name] = value
    return flat


def _manifests(plan: Plan, pinned: Mapping[str, str]) -> dict[str, str]:
    """Check the domains that the study reads, and return the fingerprint of the manifest of each."""
    data = plan.study.base.data.model_copy(update={"sources": tuple(plan.domains_read), "target": "none"})
    base = plan.study.base.model_copy(update={"data": data})
    found = {name: manifest.fingerprint for name, manifest in domains.open_sources(base, pinned).items()}
    for name in plan.domains_read:
        domains.open_target(folds.with_target(base, name), pinned)  # each of them is judged on too
    return found


def _weights(base: Config) -> str:
    """Return the hash of the file of pretrained weights; empty if there is none, or not on this machine."""
    place = Path(base.model.weights) if base.model.weights else None
    return digest(place.read_bytes()) if place and place.is_file() else ""
