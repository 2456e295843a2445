"""List the runs of a leave-one-out, one for each target domain, method and seed, without Ray or data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
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
    """

    runs: Sequence[Config]
    page: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def labels_of(self, run: Config) -> Sequence[str]:
        """Return the names under which a run's figures are shown."""
        return self.labels.get(run.run.name, (run.method.name,))


def targets_of(
    config: Config, methods: Sequence[str], seeds: Sequence[int], targets: Sequence[str] = ()
) -> list[Config]:
    """Return a configuration for each target, method and seed. Its sources are all other domains.

    Args:
        config: configuration whose sources and target, if it has one, are the domains.
        methods: names of learning rules; the method of `config` if empty.
        seeds: seeds of training; the seed of `config` if empty.
        targets: domains to hold out; each domain in turn if empty.

    Raises:
        ConfigError: there are fewer than three domains, a target is none of them, a method is unknown, or a
            seed is out of range.
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
    runs = []
    for method in dict.fromkeys(methods or [config.method.name]):
        for seed in dict.fromkeys(seeds or [config.training.seed]):
            for target in sorted(set(targets)) or domains:
                tree = config.model_dump(mode="json")
                tree["data"] |= {"target": target, "sources": [d for d in domains if d != target]}
                tree["method"] = config.method.renamed(method)
                tree["training"]["seed"] = seed
                tree["run"]["name"] = f"{config.run.name}-{method}-to_{target}-s{seed}"
                runs.append(check(tree, f"for target {target}"))
    return runs


def summary_name(config: Config) -> str:
    """Return the file name of the summary page, which lies beside the runs' folders."""
    return f"{config.run.name}-leave_one_out.html"
