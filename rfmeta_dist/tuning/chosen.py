"""List the runs that show what a study's choices are worth: each has what was chosen for its target."""

from __future__ import annotations

from collections.abc import Sequence

from rfmeta_dist.config.held_out import Asked
from rfmeta_dist.config.load import check, dump, fields_that_differ, parse_config
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.runs.folder import MAY_DIFFER
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.tuning import sealing
from rfmeta_dist.tuning.known import Known
from rfmeta_dist.tuning.study import look

CHOICE, BASE = "choice", "base"
# What may be set for a chosen configuration: where it runs and reads, not what decides its weights or figures.
SETTABLE = MAY_DIFFER - {"data.target", "evaluation.target_split"}


def runs_of(
    url: str,
    targets: Sequence[str] = (),
    seeds: Sequence[int] = (),
    overrides: Sequence[str] = (),
    *,
    with_base: bool = False,
) -> Asked:
    """Return a run for each target and seed, with the configuration that a study chose for this target.

    The study's folder is only read.

    Args:
        url: the study's folder.
        targets: targets of the study; all if empty.
        seeds: seeds of training; if empty, the seed of the choice files, with which no candidate was trained.
        overrides: `field=value` for fields in `SETTABLE`.
        with_base: also return runs with the configuration from which the study started. If it was chosen, one
            run serves as both.

    Raises:
        RunError: there is no study, it has not chosen for a target yet, or its ledger is damaged.
        ConfigError: a target is none of the study's, or an override or a choice file is wrong.
    """
    known = look(url)
    study = known.plan.study
    if unknown := [target for target in targets if target not in known.plan.targets]:
        raise ConfigError(
            f"target {unknown[0]!r} is none of the study's targets {', '.join(known.plan.targets)}",
            f"write --targets {known.plan.targets[0]}, or several separated by commas",
        )
    wanted = [target for target in known.plan.targets if not targets or target in targets]
    files = _choice_files(known, wanted)
    base = _set(dump(study.base), f"base of {known.folder.url}", overrides)
    runs: list[Config] = []
    labels: dict[str, Sequence[str]] = {}
    for target, text in files.items():
        choice = _set(text, f"{known.folder.url}/{file_of(target)}", overrides)
        for seed in dict.fromkeys(seeds or [choice.training.seed]):
            chosen = _run(choice, choice, seed, f"{choice.run.name}-s{seed}")
            default = _run(base, choice, seed, f"{study.name}-base-to_{target}-s{seed}")
            same = set(fields_that_differ(chosen, default)) <= {"run.name"}
            runs.append(chosen)
            labels[chosen.run.name] = (CHOICE, BASE) if with_base and same else (CHOICE,)
            if with_base and not same:
                runs.append(default)
                labels[default.run.name] = (BASE,)
    opened = _opened(known, files)
    how = f"by the study {study.name} without any data of that target"
    notes = [f"The configuration of each target was chosen {how}", *opened.values()]
    if with_base:
        notes.insert(1, f"“{BASE}” is the configuration from which the study started")
    about = {"study": known.folder.url, "opened": list(opened)}
    return Asked(runs, f"{study.name}-tuned-leave_one_out.html", labels, notes, about)


def file_of(target: str) -> str:
    """Return the name of a target's choice file in the study's folder."""
    return f"choice-to_{target}.yaml"


def _choice_files(known: Known, targets: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    missing = []
    for target in targets:
        try:
            found[target] = known.folder.read(file_of(target)).decode()
        except MissingError:
            missing.append(target)
    if missing:
        others = f", or give --targets {','.join(found)}" if found else ""
        raise RunError(
            f"the study {known.folder.url} has not chosen for {', '.join(missing)} yet",
            f"give its `rfmeta tune` command again, and wait for its end{others}",
        )
    return found


def _set(text: str, where: str, overrides: Sequence[str]) -> Config:
    """Return the configuration in a file with overrides, after checking that they change no result."""
    given, new = parse_config(text, where), parse_config(text, where, overrides)
    if wrong := [field for field in fields_that_differ(given, new) if field not in SETTABLE]:
        raise ConfigError(
            f"--set {wrong[0]} would change the configuration that the study chose",
            f"set only {', '.join(sorted(SETTABLE))} together with --tuned",
        )
    return new


def _run(config: Config, choice: Config, seed: int, name: str) -> Config:
    """Return a configuration for a choice's target and sources, with a seed and a name."""
    tree = config.model_dump(mode="json")
    tree["data"] |= {"sources": list(choice.data.sources), "target": choice.data.target}
    tree["training"]["seed"] = seed
    tree["run"]["name"] = name
    return check(tree, f"for target {choice.data.target}")


def _opened(known: Known, files: dict[str, str]) -> dict[str, str]:
    """Return a sentence for each target whose labels were looked at by `rfmeta tune regret`."""
    found = {}
    for target, opening in sealing.openings(known.folder).items():
        if target not in files:
            continue
        before = digest(files[target].encode()) == opening["choice"]
        what = (
            "after this choice was made" if before else "before this choice was made, so it may depend on them"
        )
        found[target] = f"`rfmeta tune regret` looked at the labels of {target} ({opening['time']}) {what}"
    return found
