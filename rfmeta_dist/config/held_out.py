"""List the runs of a protocol, such as leave-one-out: one for each target, method and seed. No data is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from rfmeta_dist.config.made import Made, Refused, make
from rfmeta_dist.config.methods.tables import LIMITED_SOURCES
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.settings import Settings
from rfmeta_dist.core.errors import ConfigError


@dataclass(frozen=True)
class Asked:
    """The runs of a leave-one-out that were asked for.

    Attributes:
        runs: the runs, each with another name.
        page: file name of the summary page, which lies beside the runs' folders.
        labels: by the run's name, the names under which its figures are shown in place of its method's; a run
            that is not among them is shown under its method's name.
        notes: sentences about all runs, for the page and the terminal.
        about: what the output as JSON says beside the runs.
        protocol: the official protocol whose folds the runs are, such as `O/3`; empty for another protocol.
        refused: runs that cannot be made.
        tables: file name of the page with the paper's tables, beside `page`; empty if there is none.
        limited: True if the runs are those of the protocol with limited sources.
        others: the runs of the other protocol with the same methods and seeds. The paper's tables show those
            that are finished, and why others cannot be made.
    """

    runs: Sequence[Config]
    page: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = ""
    refused: Sequence[Refused] = ()
    tables: str = ""
    limited: bool = False
    others: Made = field(default_factory=Made)

    def labels_of(self, run: Config) -> Sequence[str]:
        """Return the names under which a run's figures are shown."""
        return self.labels.get(run.run.name, (run.method.name,))


def targets_of(
    config: Config,
    methods: Sequence[str],
    seeds: Sequence[int],
    targets: Sequence[str] = (),
    sources: Sequence[str] = (),
    settings: Settings | None = None,
) -> Made:
    """Return a configuration for each target, method and seed. Its sources are all other domains.

    If evaluation.protocol is limited-source, there is a configuration for every two other domains.

    Args:
        config: configuration whose sources and target, if it has one, are the domains.
        methods: names of learning rules; the method of `config` if empty.
        seeds: seeds of training; the seed of `config` if empty.
        targets: domains to hold out; each domain in turn if empty.
        sources: the two sources of all runs, for limited-source; every two domains if empty.
        settings: what the file of `config` says, from which the configurations of other methods are made; if
            None, it says what `config` says.

    Raises:
        ConfigError: there are fewer than three domains, a target or source is none of them, a method is
            unknown, a seed is out of range, sources are given for another protocol, or no method goes with the
            settings.
    """
    domains = sorted(config.data.domains)
    if len(domains) < 3:
        raise ConfigError(
            f"the configuration has the domains {' and '.join(domains)} alone. A run of a leave-one-out trains "
            "on all domains but one, and a training needs two",
            "add a domain to data.sources, or set data.target",
        )
    unknown = [target for target in targets if target not in domains]
    if unknown:
        raise ConfigError(
            f"target {unknown[0]!r} is none of the configuration's domains {', '.join(domains)}",
            f"write --targets {domains[0]}, or several separated by commas",
        )
    if clash := sorted(set(targets) & set(sources)):
        raise ConfigError(
            f"{clash[0]} is given as a target and as a source, but a target must stay unseen",
            "remove it from --targets or from --sources",
        )
    found = [
        ({"target": target, "sources": chosen}, _name_of(config, target, chosen))
        for target in sorted(set(targets)) or domains
        for chosen in _sources_of(config, target, domains, sources)
    ]
    return make(config, settings or Settings.of(config), methods, seeds, found)


def folds_of(
    config: Config,
    folds: Sequence[str],
    methods: Sequence[str],
    seeds: Sequence[int],
    settings: Settings | None = None,
) -> Made:
    """Return a configuration for each fold of an official protocol, method and seed.

    Args:
        config: configuration with the field data.within.
        folds: values of data.within, one for each fold, such as `O/3_1`.
        methods: names of learning rules; the method of `config` if empty.
        seeds: seeds of training; the seed of `config` if empty.
        settings: see `targets_of`.

    Raises:
        ConfigError: a method is unknown, no method can train on one domain, or a seed is out of range.
    """
    found = [({"within": fold, "target": fold}, fold.replace("/", "-")) for fold in folds]
    return make(config, settings or Settings.of(config), methods, seeds, found)


def companions(config: Config, methods: Sequence[str], seeds: Sequence[int], settings: Settings) -> Made:
    """Return the runs of the other protocol, with the same methods and seeds.

    Those with limited sources have the two sources of the papers. There are none if the configuration lacks
    these domains, or no method goes with the settings.

    Args:
        config: the configuration, whose field evaluation.protocol names the protocol that was asked for.
        methods: names of methods; the method of `config` if empty.
        seeds: seeds of training; the seed of `config` if empty.
        settings: what the file of `config` says.
    """
    limited = config.evaluation.protocol == "leave-one-out"
    other = "limited-source" if limited else "leave-one-out"
    if limited and not set(LIMITED_SOURCES) < set(config.data.domains):
        return Made()
    changed = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"protocol": other})})
    try:
        return targets_of(
            changed, methods, seeds, sources=LIMITED_SOURCES if limited else (), settings=settings
        )
    except ConfigError:
        return Made()


def summary_name(config: Config) -> str:
    """Return the file name of the summary page, which lies beside the runs' folders."""
    protocol = config.data.within or config.evaluation.protocol
    return f"{config.run.name}-{protocol.replace('-', '_').replace('/', '-')}.html"


def _sources_of(config: Config, target: str, domains: Sequence[str], sources: Sequence[str]) -> list[list[str]]:
    """Return the sources of each run that is judged on a target."""
    if config.evaluation.protocol == "leave-one-out":
        if sources:
            raise ConfigError(
                f"--sources {','.join(sources)} is given, but a run of a leave-one-out has all domains but one "
                "as sources",
                "leave --sources out, or add --set evaluation.protocol=limited-source",
            )
        return [[domain for domain in domains if domain != target]]
    if not sources:
        return [list(pair) for pair in combinations((d for d in domains if d != target), 2)]
    pair = sorted(set(sources))
    if len(pair) != 2 or not set(pair) <= set(domains):
        raise ConfigError(
            f"--sources {','.join(sources)} does not name two of the configuration's domains "
            f"{', '.join(domains)}",
            f"write --sources {domains[0]},{domains[1]}",
        )
    return [] if target in pair else [pair]


def _name_of(config: Config, target: str, sources: Sequence[str]) -> str:
    return (
        f"to_{target}" if config.evaluation.protocol == "leave-one-out" else f"{'_'.join(sources)}-to_{target}"
    )
