"""Read the runs that are to be compared, name the method of each, and check that they had the same samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.left_out import LEFT_OUT
from rfmeta_dist.config.load import fields_that_differ
from rfmeta_dist.core.errors import ConfigError, DataError, RunError
from rfmeta_dist.evaluation import paired
from rfmeta_dist.report.records import read_judged
from rfmeta_dist.runs.folder import read_config
from rfmeta_dist.storage.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.report.records import JudgedRecord

_MARK = 8  # characters of a fingerprint that are shown
_AGAIN = (
    "judge both on the same data: start the run whose data is older again under a new run.name, or leave it out"
)
# Fields in which the runs of one method differ: places, hardware, target or fold, sources and seed.
_BY_RUN = {
    "data.sources",
    "data.within",
    "training.seed",
    "evaluation.target_split",
    *(f"{section}.{field}" for section, fields in LEFT_OUT.items() for field in fields),
}


@dataclass(frozen=True)
class Contestant:
    """A judged run that is compared with others.

    Attributes:
        given: path or URL of its folder, as it was given.
        config: its configuration.
        record: its evaluation and the target's frame scores.
        videos: the target's scores, one row for each video.
        run: its figures and what each subject contributes to them.
        method: the name under which its figures are shown.
    """

    given: str
    config: Config
    record: JudgedRecord
    videos: Scores
    run: paired.Run
    method: str

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the domains that the run was trained on, in alphabetical order."""
        return tuple(sorted(self.record.evaluation["sources"]))


def read(given: Sequence[str], labels: Sequence[str] = ()) -> list[Contestant]:
    """Read runs from their folders.

    Args:
        given: paths or URLs of the folders.
        labels: texts `RUN=NAME`; RUN is a given path or a pattern such as `runs/a-*`.

    Raises:
        ConfigError: there are fewer than two runs, a run is given twice, or a label fits no run.
        RunError: a run was not judged, a file is damaged, or two runs cannot be told apart or compared.
        DataError: the target lacks a class, or one person shows all of it.
        StorageError: a folder cannot be read.
    """
    if len(given) < 2:
        raise ConfigError(
            f"{len(given) or 'no'} run is given, and a comparison needs two",
            "give two folders or more: rfmeta compare RUN RUN",
        )
    seen: dict[str, str] = {}
    for path in given:
        if path.endswith(".html"):
            raise ConfigError(
                f"{path} is a page, and not the folder of a run",
                "write a pattern that fits folders only, such as runs/demo-*-s?",
            )
        url = open_store(path).url
        if url in seen:
            raise ConfigError(f"run {path} is given twice", "give each run's folder once")
        seen[url] = path
    found = _named([contestant(path) for path in given])
    found = _labelled(found, labels)
    _require_distinct(found)
    _require_same_samples(found)
    return found


def contestant(given: str) -> Contestant:
    """Read one run from its folder, given as a path or URL; its method has the name that the run says.

    Raises:
        RunError: the run was not judged, or a file is damaged.
        DataError: the target lacks a class, or one person shows all of it.
        StorageError: the folder cannot be read.
    """
    folder = open_store(given)
    config = read_config(folder)
    record = read_judged(folder)
    try:
        target, seed = record.evaluation["target"], int(record.evaluation["seed"])
        threshold, figures = threshold_of(record), record.evaluation["figures"]["video"]
        said = {name: float(figures[name]["value"]) for name in ("HTER", "AUC")}
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder.url}/evaluation.json is damaged ({type(error).__name__}: {error})",
            f"judge the run again: rfmeta evaluate {folder.url}",
        ) from error
    if not len(record.target):
        raise RunError(
            f"{folder.url}/scores.parquet has no score of the target {target}, which evaluation.json names",
            f"judge the run again: rfmeta evaluate {folder.url}",
        )
    videos = record.target.per_video()
    data = config.data
    run = paired.judged(videos, threshold, target, seed, data.within or "&".join(sorted(data.sources)))
    if any(abs(run.value[name] - value) > 1e-9 for name, value in said.items()):
        raise RunError(
            f"the scores in {folder.url}/scores.parquet give another HTER or AUC than evaluation.json says, so "
            "the files are of two judgements",
            f"judge the run again: rfmeta evaluate {folder.url}",
        )
    return Contestant(given, config, record, videos, run, record.evaluation["method"])


def threshold_of(record: JudgedRecord) -> float:
    """Return the threshold at which a run's videos are accepted as live. It was set on the run's sources."""
    return float(record.evaluation["figures"]["video"]["threshold"]["value"])


def _named(found: Sequence[Contestant]) -> list[Contestant]:
    """Add to each method's name the fields in which its runs differ: `rfmeta (training.steps=100)`."""
    named = []
    for one in found:
        alike = [other for other in found if other.method == one.method]
        fields = differing(alike)
        said = [f"{name}={_value(one.config, name)}" for name in fields]
        if any(o.run.target == p.run.target and o.sources != p.sources for o in alike for p in alike):
            said.append(f"data.sources=[{','.join(one.sources)}]")
        named.append(replace(one, method=f"{one.method} ({', '.join(said)})" if said else one.method))
    return named


def differing(found: Sequence[Contestant]) -> list[str]:
    """Return the fields in which configurations differ, but not places, hardware, target, sources and seed."""
    names = {name for one in found for name in fields_that_differ(found[0].config, one.config)}
    return sorted(name for name in names if name not in _BY_RUN and not name.startswith("run."))


def _value(config: Config, name: str) -> Any:
    here: Any = config
    for part in name.split("."):
        here = getattr(here, part, None)
    return here


def _labelled(found: Sequence[Contestant], labels: Sequence[str]) -> list[Contestant]:
    """Replace the names of the runs that labels name. If several fit a run, the last one holds."""
    named = list(found)
    for label in labels:
        pattern, equals, name = label.rpartition("=")
        if not (equals and pattern and name.strip()):
            raise ConfigError(f"--label {label!r} is not of the form RUN=NAME", "write --label runs/a=tuned")
        fits = [i for i, one in enumerate(found) if _fits(one.given, pattern)]
        if not fits:
            raise ConfigError(
                f"--label {label!r} fits none of the runs",
                "give a run's folder as it is written in the command",
            )
        for index in fits:
            named[index] = replace(named[index], method=name.strip())
    return named


def _fits(given: str, pattern: str) -> bool:
    plain = given.rstrip("/")
    return plain == pattern.rstrip("/") or fnmatchcase(plain, pattern.rstrip("/"))


def _require_distinct(found: Iterable[Contestant]) -> None:
    """Check that no two runs have the same method, target and seed."""
    seen: dict[tuple[str, str, int], Contestant] = {}
    for one in found:
        key = (one.method, one.run.target, one.run.seed)
        if key in seen:
            raise RunError(
                f"runs {seen[key].given} and {one.given} have the same method {one.method}, target "
                f"{one.run.target} and seed {one.run.seed}, so they cannot be told apart",
                f"leave one out, or name one of them with: --label {one.given}=NAME",
            )
        seen[key] = one


def _require_same_samples(found: Iterable[Contestant]) -> None:
    """Check that all runs on a target were judged on the same samples of the same state of it."""
    first: dict[str, Contestant] = {}
    for one in found:
        other = first.setdefault(one.run.target, one)
        if other is not one:
            require_same(other, one)


def require_same(one: Contestant, other: Contestant) -> None:
    """Check that two runs were judged on the same samples of the same state of their target.

    Raises:
        RunError: they were not; the error says what differs.
        DataError: a sample is named twice.
    """
    target, remedy = one.run.target, _AGAIN
    splits = [found.record.evaluation.get("target_split", "all") for found in (one, other)]
    if splits[0] != splits[1]:
        raise RunError(
            f"{one.given} was judged on target {target} with evaluation.target_split={splits[0]}, and "
            f"{other.given} with {splits[1]}, so the samples differ",
            f"set the same for both and judge again, with: rfmeta evaluate {other.given}",
        )
    a, b = _sorted(one.record.target), _sorted(other.record.target)
    keys = set(a.key.tolist()), set(b.key.tolist())
    for own, others, run in ((keys[0], keys[1], one), (keys[1], keys[0], other)):
        if own - others:
            raise RunError(
                f"{one.given} and {other.given} were judged on different samples of target {target}: "
                f"{len(own - others)} of {len(own)} samples are in {run.given} only",
                remedy,
            )
    for column, word in (("label", "label"), ("attack_type", "attack type"), ("subject", "subject")):
        wrong: NDArray[np.bool_] = getattr(a, column) != getattr(b, column)
        if wrong.any():
            raise RunError(
                f"{one.given} and {other.given} were judged on target {target} with other labels: the {word} "
                f"of {wrong.sum()} of {len(a)} samples differs, first that of {a.key[wrong][0]}",
                remedy,
            )
    states = one.record.manifest, other.record.manifest
    if all(states) and states[0] != states[1]:
        raise RunError(
            f"{one.given} was judged on another state of target {target} (manifest {states[0][:_MARK]}) than "
            f"{other.given} ({states[1][:_MARK]}), so the pictures may differ",
            remedy,
        )


def _sorted(scores: Scores) -> Scores:
    import numpy as np

    if len(set(scores.key.tolist())) != len(scores):
        raise DataError(
            f"the scores of target {scores.domain[0]} name a sample twice",
            "judge the run again: rfmeta evaluate RUN",
        )
    return scores.select(np.argsort(scores.key))
