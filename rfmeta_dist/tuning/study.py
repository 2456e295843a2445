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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

from pydantic import ValidationError

from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.runs import pins, starts
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import checks, choice, deploy, folds, news, sealing
from rfmeta_dist.tuning.checkpoints import Checkpoints
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
        notes: messages for the user.
        checkpoints: the checkpoints of all trainings.
    """

    token: str = ""
    notes: tuple[str, ...] = ()
    checkpoints: Checkpoints = field(init=False)
    _ordered: dict[tuple[str, int], Order] = field(default_factory=dict)
    _views_now: list[View] = field(default_factory=list)  # as of the last `orders()`
    _views_told: dict[str, View] = field(default_factory=dict)  # of which `news` has told
    _clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(self.shared.sub(folds.TRAININGS))

    def orders(self) -> list[Order]:
        """Return all stretches of trainings that a target wants now, those of the earliest cohorts first.

        Checkpoints of trainings that no target wants any more are deleted.
        """
        lease.require(self.shared.sub(folds.TRAININGS), self.token)
        self.look_again()
        views = [self.view(target) for target in self.plan.targets]
        if self._time_is_spent(views):
            views = [self.view(target) for target in self.plan.targets]
        self._views_now = views
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
        self.checkpoints.expect(order.config.run.name for order in ordered)
        for order in ordered:
            self._ordered[order.config.run.name, order.until] = order
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
        self.checkpoints.remove(asked[name] for name in asked.keys() - live)

    def _time_is_spent(self, views: list[View]) -> bool:
        """Note how long the study has searched. Return True if it must begin no more cohorts from now on."""
        now = time.monotonic()
        self.state = replace(self.state, seconds=self.state.seconds + now - self._clock)
        self._clock = now
        hours = self.plan.study.budget.hours
        spent = hours is not None and self.state.cohorts is None and self.state.seconds > hours * 3600
        if spent:
            self.state = replace(self.state, cohorts=max(view.cohorts for view in views))
        self.save_state()
        return spent

    def save_state(self) -> None:
        """Write what the folder keeps."""
        self.folder.write(STATE, json.dumps(asdict(self.state)).encode())

    def news(self) -> list[str]:
        """Return a line for each decision since the last call, as of the last `orders()`."""
        found = []
        for now in self._views_now:
            found += news.lines(self.plan.study, self._views_told.get(now.target), now)
            self._views_told[now.target] = now
        return found

    @property
    def trained(self) -> int:
        """Return how many trainings that were ordered since the study was opened have given a figure."""
        return len({order.config.run.name for order in self._ordered.values() if self._is_done(order)})

    def _is_done(self, order: Order) -> bool:
        return any(self.read(name) is not None for name in order.figures.values())

    def choose(self, target: str) -> View:
        """Write a target's trace and choice file, and return its view.

        Raises:
            RunError: a figure is missing, or no candidate came to its end.
        """
        lease.require(self.shared.sub(folds.TRAININGS), self.token)
        self.look_again()
        study, view = self.plan.study, self.view(target)
        # Without a choice, one of an earlier start of the study must not stay: it follows from other figures.
        if view.wanted:
            self.folder.delete(f"choice-to_{target}.yaml")
            raise RunError(
                f"the study {self.folder.url} has not come to its end: target {target} lacks "
                f"{len(view.wanted)} figures",
                "give the same command again, which does what is missing",
            )
        self.folder.write(f"trace-to_{target}.jsonl", choice.trace(study, view))
        try:
            text = self.choice_file(view)
        except RunError:
            self.folder.delete(f"choice-to_{target}.yaml")
            raise
        self.folder.write(f"choice-to_{target}.yaml", text.encode())
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
        whole = study.selection == "nested" and {view.target for view in views} == set(study.domains)
        text = deploy.as_yaml(study, views) if whole else None
        if text is None:
            self.folder.delete(DEPLOY)
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
        code = f"{starts.code()} torch {version('torch')} {checks.weights(study.base)}"
        manifests = checks.manifests(plan, pins.read(folder))  # mistakes in the data are found before the claim
        pinned = pins.add(folder, manifests)
        folder.write(FILE, json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False).encode())
        starts.note(folder)
        state, notes = _state(folder, study, before, code)
        mine = {name: pinned[name] for name in manifests}
        yield Opened(plan, folder, shared, mine, state, token=right.token, notes=notes)


def _state(folder: Store, study: Study, before: Study | None, code: str) -> tuple[State, tuple[str, ...]]:
    """Return what the folder keeps, brought up to this start, and messages for the user."""
    state = read_state(folder) or State(code, opened=sealing.openings(folder))
    notes = []
    if state.code != code:
        notes.append(
            f"the study was searched with other code before ({state.code.partition(' ')[0]}, now "
            f"{code.partition(' ')[0]}), which may train other weights: its trainings are done again"
        )
        state = replace(state, code=code, seconds=0.0, cohorts=None)
    elif before is not None and study.budget.hours != before.budget.hours:
        state = replace(state, cohorts=None)  # the study goes on
    elif state.cohorts is not None:
        notes.append("budget.hours is spent, so no further cohort is begun; raise it to go on")
    return state, tuple(notes)


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
    except (ValidationError, ConfigError) as error:
        raise RunError(
            f"{folder.url}/{FILE} is damaged, or from another version of this package",
            "start a new study with --set name=…; it finds the trainings that are done",
        ) from error
