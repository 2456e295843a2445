"""Open a study: claim its folder, pin its data, and say what its targets know and want.

study.json               the study as it was last given
manifests.json           fingerprint of the manifest that the study reads, for each domain (runs/pins.py)
state.json               the code whose trainings the study uses, and how long it has searched
ledger.jsonl             which choice was made before the labels of its target were looked at (sealing.py)
failures/                figures of trainings that failed for want of memory or because workers were lost; they
                         hold for this study alone, because another machine may do better
choice-to_T.yaml         the configuration that was chosen for target T, for `rfmeta train`
trace-to_T.jsonl         what led to the choice: each candidate with its figures
regret.json              how much worse the choices are than the best candidates (opening.py)
choice-deploy.yaml       the configuration for a model that is trained on all domains
study.html               a page about the study (report/study.py)
results.parquet          all figures that its targets have asked for, as one table (tuning/compact.py)

Beside the study's folder, `trainings/` and `figures/` hold what several studies share.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RfmetaError, RunError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs import pins, starts
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import choice, deploy, folds, news, sealing
from rfmeta_dist.tuning.folds import Figure
from rfmeta_dist.tuning.growth import require_same
from rfmeta_dist.tuning.known import STATE, Known, State, read_state
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.view import View

FILE, DEPLOY = "study.json", "choice-deploy.yaml"


@dataclass
class Opened(Known):
    """A study whose folder is claimed and whose data is pinned.

    Attributes:
        token: token of the lease of the trainings' folder.
    """

    token: str = ""
    _ordered: set[str] = field(default_factory=set)
    _tidied: set[str] = field(default_factory=set)
    _views_before: dict[str, View] = field(default_factory=dict)
    _clock: float = field(default_factory=time.monotonic)

    def orders(self) -> list[Order]:
        """Return all stretches of trainings that a target wants now, those of the earliest cohorts first.

        Checkpoints of trainings that no target wants any more are deleted.
        """
        self.look_again()
        views = [self.view(target) for target in self.plan.targets]
        self._tell_time(views)
        wanted: dict[tuple[str, int], tuple[int, Order]] = {}
        for view in views:
            cohorts = {entry.candidate.number: entry.cohort for entry in view.entries}
            for figure in view.wanted:
                order = self._order(view.target, figure)
                key = (order.config.run.name, order.until)
                cohort = cohorts[figure.candidate.number]
                if key not in wanted or cohort < wanted[key][0]:
                    wanted[key] = cohort, order
        self._tidy(views)
        ordered = [order for _, order in sorted(wanted.values(), key=lambda item: item[0])]
        for order in ordered:
            self._tidied.discard(order.config.run.name)
            self._ordered.add(order.config.run.name)
        return ordered

    def _order(self, target: str, figure: Figure) -> Order:
        without = folds.left_out(target, figure.fold)
        config = self.config(figure.candidate, figure.seed, without)
        names = {fold: self.name(config, fold, figure.step) for fold in folds.judged(self.plan.study, without)}
        missing = {fold: name for fold, name in names.items() if self.read(name) is None}
        return Order(config, figure.step, missing)

    def _tidy(self, views: list[View]) -> None:
        """Delete the checkpoints of trainings that targets asked for and that none can want to go on.

        With `source_validation`, a finished training is one on all sources of the target. It keeps its
        checkpoint, because `rfmeta tune regret` may judge this model on the target later.
        """
        keeps = self.plan.study.selection == "source_validation"
        live = {
            self.config(entry.candidate, seed, folds.left_out(view.target, fold)).run.name
            for view in views
            for entry in view.entries
            if (entry.undecided and not view.problem) or (keeps and entry.value is not None)
            for seed in self.plan.study.seeds
            for fold in folds.of_target(self.plan.study, view.target)
        }
        asked = {config.run.name: config for config in self._configs.values()}
        for name in asked.keys() - live - self._tidied:
            runs.remove_checkpoints(runs.open_folder(asked[name]))
            self._tidied.add(name)

    def _tell_time(self, views: list[View]) -> None:
        now = time.monotonic()
        self.state = replace(self.state, seconds=self.state.seconds + now - self._clock)
        self._clock = now
        hours = self.plan.study.budget.hours
        if hours is not None and self.state.cohorts is None and self.state.seconds > hours * 3600:
            self.state = replace(self.state, cohorts=max(view.cohorts for view in views))
        self.save_state()

    def save_state(self) -> None:
        """Write what the folder keeps."""
        self.folder.write(STATE, json.dumps(asdict(self.state)).encode())

    def news(self) -> list[str]:
        """Return a line for each decision since the last call, as of the last `orders()`."""
        found = []
        for target in self.plan.targets:
            now = self.view(target)
            found += news.lines(self.plan.study, self._views_before.get(target), now)
            self._views_before[target] = now
        return found

    @property
    def begun(self) -> int:
        """Return how many trainings were ordered since the study was opened."""
        return len(self._ordered)

    def choose(self, target: str) -> View:
        """Write a target's trace and choice file, and return its view.

        Raises:
            RunError: a figure is missing, or no candidate came to its end.
        """
        self.look_again()
        study, view = self.plan.study, self.view(target)
        if view.wanted:
            raise RunError(
                f"the study {self.folder.url} has not come to its end: target {target} lacks "
                f"{len(view.wanted)} figures",
                "give the same command again, which does what is missing",
            )
        self.folder.write(f"trace-to_{target}.jsonl", choice.trace(study, view))
        self.folder.write(f"choice-to_{target}.yaml", self.choice_file(view).encode())
        return view

    def deploy(self, views: Sequence[View]) -> str | None:
        """Write the configuration for a model that is trained on all domains, and return its place.

        Args:
            views: what each target knows at the end of the search.

        Returns:
            None if the study does not have every domain as a target, each with folds, or if no candidate came
            to its end for all of them.
        """
        study = self.plan.study
        if study.selection != "nested" or {view.target for view in views} != set(study.domains):
            return None
        text = deploy.as_yaml(study, views)
        if text is None:
            return None
        self.folder.write(DEPLOY, text.encode())
        return f"{self.folder.url}/{DEPLOY}"


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
        if folder.exists("config.yaml"):
            raise RunError(f"{folder.url} is the folder of a run", "give the study another name: --set name=…")
        if (before := _before(folder)) is not None:
            require_same(folder, before, plan)
        manifests = _manifests(plan, pins.read(folder))  # mistakes in the data are found before the claim
        folder.write(FILE, json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False).encode())
        pinned = pins.add(folder, manifests)
        code = f"{starts.code()} torch {version('torch')} {_weights(study.base)}"
        state = replace(read_state(folder) or State(code, opened=sealing.openings(folder)), code=code)
        if before is not None and study.budget.hours != before.budget.hours:
            state = replace(state, cohorts=None)  # the study goes on
        mine = {name: pinned[name] for name in manifests}
        yield Opened(plan, folder, shared, mine, state, token=right.token)


def look(url: str) -> Known:
    """Return a study that may be running, to look at. Its folder is not claimed, and nothing is written.

    Args:
        url: the study's folder.

    Raises:
        RunError: there is no study, or its files are damaged.
    """
    folder = open_store(url.rstrip("/"))
    study, state = _before(folder), read_state(folder)
    if study is None or state is None:
        raise RunError(
            f"there is no study at {url}", "give the study's folder, which `rfmeta tune` prints at its start"
        )
    above, _, _ = folder.url.rstrip("/").rpartition("/")
    return Known(Plan(study), folder, open_store(above), pins.read(folder), state)


def _before(folder: Store) -> Study | None:
    """Return the study that the folder holds; None if it holds none."""
    try:
        return Study.model_validate_json(folder.read(FILE))
    except MissingError:
        return None
    except (ValidationError, RfmetaError) as error:
        raise RunError(
            f"{folder.url}/{FILE} is damaged, or from another version of this package",
            "start a new study with --set name=…; it finds the trainings that are done",
        ) from error


def _manifests(plan: Plan, pinned: Mapping[str, str]) -> dict[str, str]:
    """Check the domains that the study reads, and return the fingerprint of the manifest of each."""
    data = plan.study.base.data.model_copy(update={"sources": tuple(plan.domains_read), "target": None})
    base = plan.study.base.model_copy(update={"data": data})
    found = {name: manifest.fingerprint for name, manifest in domains.open_sources(base, pinned).items()}
    if plan.study.selection == "nested":
        for name in plan.domains_read:
            domains.open_target(folds.with_target(base, name), pinned)  # each of them is judged on too
    return found


def _weights(base: Config) -> str:
    """Return the hash of the file of pretrained weights; empty if there is none, or not on this machine."""
    place = Path(base.model.weights) if base.model.weights else None
    return digest(place.read_bytes()) if place and place.is_file() else ""
