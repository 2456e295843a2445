"""Find the runs, studies and retrainings below some folders, and keep their figures for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rfmeta_dist.core.errors import RfmetaError, StorageError
from rfmeta_dist.core.extras import missing
from rfmeta_dist.monitoring import retrainings, runs
from rfmeta_dist.monitoring.holders import Holders
from rfmeta_dist.monitoring.samples import Sample, text
from rfmeta_dist.monitoring.studies import Studies
from rfmeta_dist.retrain.attempts import ASKED, FOLDER
from rfmeta_dist.retrain.look import LOOK
from rfmeta_dist.storage.lease import HASTE
from rfmeta_dist.storage.s3 import S3Store
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning.folds import TRAININGS
from rfmeta_dist.tuning.study import FILE as STUDY


@dataclass(frozen=True)
class Found:
    """What stands below a folder. Places are relative to the folder, and "" is the folder itself.

    Attributes:
        runs: names of the objects of each run, by its place.
        studies: places of studies.
        retrainings: places of retrainings.
    """

    runs: Mapping[str, Sequence[str]]
    studies: Sequence[str]
    retrainings: Sequence[str]


def find(names: Sequence[str]) -> Found:
    """Find runs, studies and retrainings by the names of all objects below a folder.

    The trainings of a study and of a retraining are not runs of their own: they are counted there.
    """
    places: dict[str, set[str]] = {runs.CONFIG: set(), STUDY: set(), LOOK: set(), ASKED: set()}
    for name in names:
        place, _, file = name.rpartition("/")
        if file in places:
            places[file].add(place)
    retrained = places[LOOK] | {_above(place, FOLDER) for place in places[ASKED] if _within(place, FOLDER)}
    shared = {_join(_parent(place), TRAININGS) for place in places[STUDY]}
    inner = tuple(f"{_join(place, '')}" for place in (*retrained, *shared) if place)
    own = retrained | places[STUDY]
    found: dict[str, list[str]] = {
        place: []
        for place in sorted(places[runs.CONFIG])
        if place not in own and not f"{place}/".startswith(inner) and "" not in retrained
    }
    for name in names:
        parts = name.split("/")
        for place in ("/".join(parts[:depth]) for depth in range(len(parts))):
            if place in found:
                found[place].append(name[len(place) + 1 if place else 0 :])
                break
    return Found(found, sorted(places[STUDY]), sorted(retrained))


class Exporter:
    """Computes the figures of some folders.

    Args:
        folders: paths or URLs of runs, studies and retrainings, or of folders that hold some.
        say: called with a message when a folder cannot be read, and when it can be read again.
    """

    def __init__(self, folders: Sequence[str], say: Callable[[str], None]) -> None:
        self._stores = {folder: _hasty(open_store(folder.rstrip("/") or "/")) for folder in folders}
        self._say = say
        self._holders = Holders()
        self._studies = Studies(self._holders)
        self._wrong: dict[str, str] = {}
        self._read: dict[str, float] = {}
        self._empty: dict[str, bool] = {}
        self._shown: dict[tuple[str, str], str] = {}  # URL by kind and name of what was found at this look
        self._told: set[str] = set()
        self.text = ""
        self.samples: list[Sample] = []

    @property
    def down(self) -> list[str]:
        """Return the folders that could not be read at the last look."""
        return [folder for folder, problem in self._wrong.items() if problem]

    @property
    def empty(self) -> list[str]:
        """Return the folders in which neither a run nor a study nor a retraining was found."""
        return [folder for folder, empty in self._empty.items() if empty]

    def refresh(self) -> None:
        """Read all folders.

        A folder that cannot be read is down, and has no figures. One in which something is damaged is down too,
        but all that is not damaged is shown.
        """
        samples: list[Sample] = []
        self._shown.clear()
        for folder in self._stores:
            problems: list[str] = []
            try:
                figures = self._figures(folder, problems)
                samples += figures
                self._empty[folder] = not (figures or problems)
                self._read[folder] = time.time()
            except StorageError as error:
                problems.append(str(error))
            problem = "; ".join(problems)
            if problem != self._wrong.get(folder, ""):
                self._say(problem or f"{folder} can be read again")
            self._wrong[folder] = problem
            labels = {"folder": folder}
            samples.append(Sample("rfmeta_store_up", float(not problem), labels))
            samples.append(Sample("rfmeta_store_read_time_seconds", self._read.get(folder, 0.0), labels))
        self.text, self.samples = text(samples), samples

    def _figures(self, folder: str, problems: list[str]) -> list[Sample]:
        """Return the figures of all that stands below a folder, and add what is damaged to `problems`.

        Raises:
            StorageError: something cannot be read.
        """
        store = self._stores[folder]
        found = find(store.list())
        samples: list[Sample] = []
        groups: dict[str, list[runs.Standing]] = {}
        for place in (*found.studies, *found.retrainings, *found.runs):
            name, at = _name(store, place), _at(store, place)
            with _damage_told(at, problems):
                if place and place in found.runs:
                    standing = runs.stand(at, found.runs[place], self._holders)
                    groups.setdefault(_parent(place), []).append(standing)
                elif place in found.studies and self._is_first("study", name, at):
                    samples += self._studies.one(name, at)
                elif place in found.retrainings and self._is_first("retraining", name, at):
                    samples += retrainings.one(name, at, self._holders)
                elif place in found.runs and self._is_first("run", name, at):
                    samples += runs.one(name, at, found.runs[place], self._holders)
        for place, standings in groups.items():
            name, at = _name(store, place), _at(store, place)
            if self._is_first("folder", name, at):
                samples += runs.many(name, standings)
        return samples

    def _is_first(self, kind: str, name: str, at: Store) -> bool:
        """Return True if nothing of this kind and name is shown yet. Prometheus would mix up the two."""
        if (kind, name) not in self._shown:
            self._shown[kind, name] = at.url
            return True
        first = self._shown[kind, name]
        if first != at.url and at.url not in self._told:
            self._told.add(at.url)
            self._say(
                f"{at.url} is not shown, because {first} has the same name; give it to a second rfmeta metrics"
            )
        return False


@contextmanager
def _damage_told(at: Store, problems: list[str]) -> Iterator[None]:
    """Add what is wrong in a folder to `problems`, unless the store cannot be read."""
    try:
        yield
    except StorageError:
        raise
    except RfmetaError as error:
        problems.append(str(error))
    except ModuleNotFoundError as error:  # a study learns from scores, and Optuna is not installed
        problems.append(str(missing(error) or error))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        problems.append(f"a file in {at.url} is damaged ({error!r})")


def _hasty(store: Store) -> Store:
    """Return a store whose requests end after seconds if it does not answer."""
    return replace(store, patience=HASTE) if isinstance(store, S3Store) else store


def _at(store: Store, place: str) -> Store:
    return store.sub(place) if place else store


def _name(store: Store, place: str) -> str:
    return (place or store.url).rpartition("/")[2]


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


def _join(above: str, name: str) -> str:
    return f"{above}/{name}" if above else name


def _within(place: str, folder: str) -> bool:
    return folder in place.split("/")[:-1]


def _above(place: str, folder: str) -> str:
    """Return the part of a place before the last `folder` in it."""
    parts = place.split("/")
    last = len(parts) - 1 - parts[::-1].index(folder)
    return "/".join(parts[:last])
