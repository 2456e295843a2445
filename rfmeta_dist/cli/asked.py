"""Decide which runs `rfmeta leave-one-out` is asked for: those of a configuration, or those of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rfmeta_dist.config.held_out import Asked


ALL = "all"  # in place of a list of methods


@dataclass(frozen=True)
class Chosen:
    """The options that choose runs; each is empty if it was not given."""

    targets: Sequence[str]
    sources: Sequence[str]
    methods: Sequence[str]
    seeds: Sequence[int]


def of_config(config: Path | None, chosen: Chosen, overrides: Sequence[str], *, with_base: bool) -> Asked:
    """Return the runs of a configuration file, by the protocol that it names.

    Raises:
        ConfigError: there is no configuration, or it does not allow these options.
        DataError: it names an official protocol that the domain lacks.
        StorageError: the domain's manifest cannot be read.
    """
    from rfmeta_dist.config.held_out import Asked, companions, folds_of, summary_name, targets_of
    from rfmeta_dist.config.load import config_of, load_settings
    from rfmeta_dist.config.made import Made
    from rfmeta_dist.config.methods.tables import in_order

    if config is None:
        raise ConfigError(
            "no configuration is given", "give a configuration file, or the folder of a study with --tuned"
        )
    if with_base:
        raise ConfigError(
            "--with-base is given without --tuned, and only a study has a base",
            "leave --with-base out, or give a study's folder with --tuned instead of a configuration",
        )
    if ALL in chosen.methods and len(set(chosen.methods)) > 1:
        raise ConfigError(
            f"--methods {','.join(chosen.methods)} names methods beside {ALL}, which stands for every method",
            f"write --methods {ALL}, or a list without {ALL}",
        )
    settings = load_settings(config, overrides)
    read = config_of(settings)
    methods = in_order() if ALL in chosen.methods else chosen.methods
    if not read.data.within:
        made = targets_of(read, methods, chosen.seeds, chosen.targets, chosen.sources, settings)
        several = len(set(methods)) > 1
        return Asked(
            made.runs,
            summary_name(read),
            notes=made.notes,
            refused=made.refused,
            tables=f"{read.run.name}-paper_tables.html" if several else "",
            limited=read.evaluation.protocol == "limited-source",
            others=companions(read, methods, chosen.seeds, settings) if several else Made(),
        )
    if chosen.targets or chosen.sources:
        raise ConfigError(
            f"--targets and --sources choose domains, but data.within={read.data.within} has one domain",
            "leave them out, or remove data.within",
        )
    from rfmeta_dist.data.reading.parts import folds

    made = folds_of(read, folds(read.data), methods, chosen.seeds, settings)
    within, page = read.data.within, summary_name(read)
    return Asked(made.runs, page, notes=made.notes, protocol=within, refused=made.refused)


def of_study(
    tuned: str, config: Path | None, chosen: Chosen, overrides: Sequence[str], *, with_base: bool
) -> Asked:
    """Return the runs with a study's choices.

    Raises:
        ConfigError: an option is given that does not go with a study.
        RunError: there is no study, or it has not chosen yet.
    """
    from rfmeta_dist.tuning.chosen import runs_of

    if config is not None:
        raise ConfigError(
            f"the configuration {config} and --tuned are both given, but the study has its own configurations",
            "give one of them",
        )
    if chosen.methods:
        raise ConfigError(
            "--methods cannot be given with --tuned: the study chose the other fields of each configuration "
            "for its own method, so another method would be at a disadvantage",
            "leave --methods out, and start a study for each method that is to be compared",
        )
    if chosen.sources:
        raise ConfigError(
            "--sources cannot be given with --tuned: the study chose for a target with all other domains",
            "leave --sources out, or give a configuration instead of --tuned",
        )
    return runs_of(tuned, chosen.targets, chosen.seeds, overrides, with_base=with_base)
