"""`rfmeta verify`: check on the user's machine that several workers compute the same step as one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rfmeta_dist.cli.lists import names, numbers, pick
from rfmeta_dist.cli.terminal import Json, print_json, progress, say, show_table
from rfmeta_dist.core.errors import ConfigError, VerificationError

if TYPE_CHECKING:
    from rfmeta_dist.verification.parity import Distributed, Result

EXAMPLES = """
[bold]Examples[/]

  rfmeta verify                                       [dim]# every method and strategy, 2 and 3 workers[/]

  rfmeta verify --workers 4,5 --method rfmeta --domains 5

  rfmeta verify --domains 5 --episode-domains 3       [dim]# an episode has 3 of 5 source domains[/]

  rfmeta verify --strategy ddp --meta-test replicate --json

  rfmeta verify --golden rfmeta_float64.json --workers 1,2   [dim]# a file of the repository[/]
"""
SHOWN = 5
Names = list[str] | None
Choice = TypeVar("Choice", bound=str)


def verify(
    golden: Annotated[
        Path | None,
        typer.Option(
            help="JSON file with reference figures: compare one RFMeta step with them, instead of comparing "
            "several processes with one."
        ),
    ] = None,
    workers: Annotated[
        str | None, typer.Option(help="Numbers of processes to check; 2,3 if not given (1,2 with --golden).")
    ] = None,
    method: Annotated[
        Names, typer.Option(help="Methods to check, repeated or separated by commas; all if not given.")
    ] = None,
    strategy: Annotated[
        Names,
        typer.Option(
            help="Strategies to check, ddp or deepspeed; all installed ones if not given (ddp with --golden)."
        ),
    ] = None,
    meta_test: Annotated[
        Names,
        typer.Option(
            help="Modes of the meta-test batch: shard (split among the workers) or replicate (each worker "
            "computes all of it); both if not given, shard with --golden."
        ),
    ] = None,
    domains: Annotated[
        str | None,
        typer.Option(
            help="Numbers of source domains to check; 3,4 if not given. With --episode-domains N: N+1 and N+2."
        ),
    ] = None,
    episode_domains: Annotated[
        int | None,
        typer.Option(
            min=2, help="Number of source domains in an episode, as in episode.domains; all if not given."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the networks and episodes; 0 if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Check on this machine that several processes compute the same training steps as one, in float64.

    Small random networks are trained for three steps in local processes. Gradients, parameters after the steps,
    running statistics and losses are compared. The exit code is 1 if a relative difference is more than 1e-9.
    Methods of hand-made features are not trained in steps, so there is nothing to compare for them.
    """
    if golden is not None:
        options = {"method": method, "domains": domains, "episode-domains": episode_domains, "seed": seed}
        for option, given in options.items():
            if given is not None:
                raise ConfigError(
                    f"--{option} cannot be used with --golden, whose reference figures are of one fixed step",
                    "leave one of the two options out",
                )
        _golden(golden, workers or "1,2", strategy or ["ddp"], meta_test or ["shard"], json)
        return
    counts = sorted({*numbers("workers", workers or "2,3", least=1)})
    usual = f"{episode_domains + 1},{episode_domains + 2}" if episode_domains else "3,4"
    sources = sorted({*numbers("domains", domains or usual, least=episode_domains or 2)})

    from rfmeta_dist.verification import parity

    methods = _methods(method)
    meta_tests = pick("meta-test", meta_test, parity.META_TESTS)
    strategies = _strategies(strategy)
    refused = _refused(methods, strategies)
    cases = parity.cases(counts, methods, strategies, meta_tests, sources, seed or 0, domains=episode_domains)
    results = []
    with progress(json) as bar:
        task = bar.add_task("starting processes", total=len(cases))
        for result in parity.prove_locally(cases):
            results.append(result)
            bar.update(task, advance=1, description=parity.describe(result.config))
    worst = max(results, key=lambda r: r.largest)
    if json:
        print_json(
            {"tolerance": parity.TOLERANCE, "largest": worst.largest, "proofs": [_row(r) for r in results]}
        )
    else:
        print_table(results)
        say(*refused)
        say(
            f"{len(results)} proofs; largest relative difference {worst.largest:.1e} "
            f"({parity.describe(worst.config)})"
        )
    worst.require()


def _golden(path: Path, workers: str, strategy: list[str], meta_test: list[str], json: bool) -> None:
    """Recompute the reference figures with each number of workers, strategy and meta-test mode asked for."""
    counts = numbers("workers", workers, least=1)

    from rfmeta_dist.verification import golden, parity

    reference = golden.read_reference(path)
    ways = [(s, m) for s in _strategies(strategy) for m in pick("meta-test", meta_test, parity.META_TESTS)]
    rows = []
    for count in counts:
        for how, rule in ways[:1] if count == 1 else ways:
            name = "one process" if count == 1 else f"{count} × {how}, {rule}"
            differences = golden.verify(reference, count, how, rule)
            largest = differences[0]
            rows.append((name, largest))
            say(
                f"{name}: {len(differences)} figures, largest relative difference "
                f"{largest.relative:.2e} ({largest.name})"
            )
            for d in differences[1:SHOWN]:
                say(f"    then {d.relative:.2e} ({d.name})")
    if json:
        proofs = [{"proof": name, "largest": d.relative, "figure": d.name} for name, d in rows]
        print_json({"tolerance": parity.TOLERANCE, "proofs": proofs})
    for name, d in rows:
        if not d.relative <= parity.TOLERANCE:
            raise VerificationError(
                f"with {name}, the relative difference of {d.name} is {d.relative:.2e} (limit "
                f"{parity.TOLERANCE:.0e}), so models trained with this PyTorch on this machine would be wrong",
                "use another PyTorch version, and give this command again",
            )


def _methods(given: Names) -> list[str]:
    """Return the learning rules asked for; all of them if none is named.

    Raises:
        ConfigError: a name is no method, or that of a method that is not trained in steps.
    """
    from rfmeta_dist.config.methods import METHODS, RULES

    for name in (name for part in given or () for name in names(part)):
        if name in METHODS and name not in RULES:
            raise ConfigError(
                f"--method {name}: its classifier is fitted to hand-made features in one process, so there are "
                "no training steps to compare",
                f"choose from {', '.join(RULES)}",
            )
    return pick("method", given, list(RULES))


def _refused(methods: Sequence[str], strategies: Sequence[Distributed]) -> list[str]:
    """Return a sentence, without a full stop, about each method and each strategy that cannot train it.

    Raises:
        ConfigError: none of the strategies can train any of the methods.
    """
    from rfmeta_dist.config.methods import RULES

    pairs = [(name, how) for name in methods for how in strategies]
    found = [
        f"{name} is not checked with {how}: {RULES[name].refuses[how]}"
        for name, how in pairs
        if how in RULES[name].refuses
    ]
    if len(found) == len(pairs):
        raise ConfigError(found[0], "add --strategy ddp")
    return found


def _strategies(given: Names) -> list[Distributed]:
    """Return the strategies asked for; all that are installed if none is named.

    Raises:
        ConfigError: a strategy is unknown or not installed.
    """
    from importlib.util import find_spec

    from rfmeta_dist.verification.parity import STRATEGIES

    here = [s for s in STRATEGIES if s == "ddp" or find_spec(s)]
    chosen = pick("strategy", given, STRATEGIES if given else here)
    if missing := [s for s in chosen if s not in here]:
        raise ConfigError(
            f"--strategy {missing[0]} needs the package {missing[0]}, which is not installed",
            "install it with: pip install 'rfmeta_dist[train]'",
        )
    return chosen


def _row(result: Result) -> dict[str, Any]:
    training = result.config.training
    return {
        "workers": training.workers,
        "strategy": training.strategy,
        **({"zero": training.zero} if training.strategy == "deepspeed" else {}),
        "meta_test": training.meta_test,
        "method": result.config.method.name,
        "domains": len(result.config.data.sources),
        "episode_domains": result.config.episode_domains,
        "episodes": training.episodes,
        "differences": dict(result.differences),
    }


def print_table(results: Sequence[Result]) -> None:
    """Print a table of the largest relative differences: methods and workers down, strategies across.

    A cell has a dash if the strategy cannot train the method.
    """
    from rich.table import Column
    from rich.text import Text

    from rfmeta_dist.verification.parity import TOLERANCE, manner

    found: dict[tuple[str, int], dict[str, float]] = {}
    for result in sorted(results, key=lambda r: r.config.training.workers):
        training = result.config.training
        row = found.setdefault((result.config.method.name, training.workers), {})
        row[manner(training)] = max(row.get(manner(training), 0.0), result.largest)
    ways = list(dict.fromkeys(way for row in found.values() for way in row))
    methods = list(dict.fromkeys(method for method, _ in found))

    def cell(value: float | None) -> Text:
        if value is None:
            return Text("–")
        return Text(f"{value:.1e}", "green" if value <= TOLERANCE else "bold red")

    show_table(
        (
            Column("method", no_wrap=True),
            Column("workers", justify="right"),
            *(Column(way, justify="right") for way in ways),
        ),
        (
            (method, str(workers), *(cell(row.get(way)) for way in ways))
            for method in methods
            for (name, workers), row in found.items()
            if name == method
        ),
        title=f"Largest relative difference from one process (at most {TOLERANCE:.0e})",
    )
