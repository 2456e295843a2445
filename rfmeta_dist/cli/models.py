"""`rfmeta models`: list, check, compare, promote and roll back the versions of a retrained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Json, Overrides, print_json, say, show_table
from rfmeta_dist.core.errors import ConfigError, RunError, VerificationError

if TYPE_CHECKING:
    from rfmeta_dist.config.retrain import Retraining
    from rfmeta_dist.retrain.approval import Checked
    from rfmeta_dist.retrain.attempts import Attempt
    from rfmeta_dist.retrain.registry import Registry, Version
    from rfmeta_dist.storage.store import Store

app = typer.Typer(
    help="List, check, compare, promote and roll back the versions of a retrained model.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Retrain = Annotated[
    Path, typer.Argument(metavar="RETRAIN", help="File of the retraining, YAML.", show_default=False)
]
Number = Annotated[int, typer.Argument(help="Number of a version.", show_default=False)]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is entered in the audit log.")]


@app.command(epilog="[bold]Example[/]\n\n  rfmeta models ls retrain.yaml")
def ls(config: Retrain, overrides: Overrides = None, json: Json = False) -> None:
    """List the versions, which are champion and challenger, and the attempts that wait for approval."""
    from rfmeta_dist.retrain.approval import attempt_of, waiting
    from rfmeta_dist.retrain.quarantine import quarantined

    chosen, registry, store = _opened(config, overrides)
    aliases, aside = _aliases(registry), quarantined(store).identities
    rows = [
        {
            "number": version.number,
            "aliases": aliases.get(version.number, []),
            "quarantined": version.identity in aside,
            "created": version.tags.get("created", ""),
            "outcome": _outcome(attempt_of(version)),
            "package": version.package,
            "batches": [f"{domain}/{batch}" for domain, batch in sorted(version.batches)],
        }
        for version in registry.versions()
    ]
    left = [attempt.folder.url for attempt in waiting(chosen)]
    if json:
        print_json({"registry": registry.place, "versions": rows, "waiting": left})
        return
    columns = ("version", "alias", "created", "outcome", "batches", "package")
    show_table(columns, map(_cells, rows), title=f"Versions in {registry.place}")
    for place in left:
        say(f"waits for approval: {place}", "promote the newest with: rfmeta models promote RETRAIN.yaml")


@app.command(epilog="[bold]Example[/]\n\n  rfmeta models show retrain.yaml 3")
def show(config: Retrain, number: Number, overrides: Overrides = None, json: Json = False) -> None:
    """Show a version, and check its package, its verdict and the audit log. Code 1 if one is damaged."""
    from rfmeta_dist.retrain.approval import attempt_of, check
    from rfmeta_dist.retrain.registry import CHAMPION, find

    chosen, registry, _ = _opened(config, overrides)
    version = find(registry, number)
    attempt = attempt_of(version)
    found, aliases = check(chosen, attempt, version), _aliases(registry).get(number, [])
    told: dict[str, Any] = {
        "number": number,
        "aliases": aliases,
        "package": version.package,
        "tags": dict(version.tags),
        "outcome": _outcome(attempt),
        "verdict": found.sentence,
        "damaged": list(found.damaged),
        "against": [] if CHAMPION in aliases else list(found.against),
    }
    if json:
        print_json(told)
    else:
        facts = {**version.tags, **told, "aliases": ", ".join(aliases) or "none"}
        shown = [
            (name, str(value)) for name, value in facts.items() if name not in ("tags", "damaged", "against")
        ]
        show_table(("fact", "value"), shown, title=f"Version {number} in {registry.place}")
        for line in told["against"]:
            say(f"before a promotion, note: {line}")
    _refuse_damaged(f"version {number}", found)
    say("package, verdict and audit log are intact")


@app.command(epilog="[bold]Example[/]\n\n  rfmeta models compare retrain.yaml 2 3")
def compare(config: Retrain, a: Number, b: Number, overrides: Overrides = None, json: Json = False) -> None:
    """Compare the error rates of two versions on the test videos that each was judged on."""
    from rfmeta_dist.retrain.figures import compared
    from rfmeta_dist.retrain.registry import find

    _, registry, _ = _opened(config, overrides)
    found = compared(find(registry, a), find(registry, b))
    if json:
        print_json(found)
        return
    rows = [
        (row["part"], row["type"], row["rate"], *(_percent(row[side]) for side in ("a", "b")))
        for row in found["rates"]
    ]
    show_table(("videos", "type", "rate", f"version {a}", f"version {b}"), rows)
    say(found["note"])


@app.command(
    epilog="[bold]Examples[/]\n\n  rfmeta models promote retrain.yaml  [dim]# what waits for approval[/]\n\n"
    '  rfmeta models promote retrain.yaml 3 --anyway --reason "needed against the new masks"'
)
def promote(
    config: Retrain,
    number: Annotated[
        int | None,
        typer.Argument(help="Number of a version; the newest attempt that waits for approval if not given."),
    ] = None,
    overrides: Overrides = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Promote although the gate or a rollback speaks against it.")
    ] = False,
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Make a version the champion, after its verdict was computed again from the stored scores."""
    if anyway and not reason:
        raise ConfigError("--anyway needs a reason, which is entered in the audit log", "add --reason TEXT")
    from rfmeta_dist.retrain import promotion
    from rfmeta_dist.retrain.approval import attempt_of, check
    from rfmeta_dist.retrain.registering import register
    from rfmeta_dist.retrain.registry import find

    chosen, registry, store = _opened(config, overrides)
    _repair(registry, store)
    expected = promotion.champion(store)
    version: Version | None = None if number is None else find(registry, number)
    attempt = _waiting(chosen) if version is None else attempt_of(version)
    name = f"version {number}" if version else f"the attempt {attempt.folder.url if attempt else ''}"
    if version and expected and version.number == expected.number:
        raise RunError(f"{name} is the champion already", "nothing needs to be done")
    found = check(chosen, attempt, version)
    _refuse_damaged(name, found)
    if found.against and not anyway:
        raise RunError(
            f"{name} is not promoted: {'; '.join(found.against)}",
            "if you are sure, add --anyway --reason TEXT; both are entered in the audit log",
        )
    if version is None:
        assert attempt is not None  # _waiting returns one
        version = register(chosen, attempt)
    facts: dict[str, Any] = {
        "why": found.sentence,
        "attempt": version.tags.get("attempt", ""),
        "by": "a person",
    }
    if reason:
        facts["reason"] = reason
    if found.against:
        facts["against"] = list(found.against)
    event = promotion.promote(registry, store, version, facts, expected)
    _told({"champion": version.number, "package": version.package, "event": event.sha256}, json)


@app.command(
    epilog='[bold]Example[/]\n\n  rfmeta models rollback retrain.yaml --reason "rejects real faces outdoors"'
)
def rollback(
    config: Retrain,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is entered in the audit log.")],
    to: Annotated[
        int | None, typer.Option(help="Number of a version; the champion before if not given.")
    ] = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Make an earlier version the champion again. What is left is not promoted or trained on again."""
    from rfmeta_dist.retrain.quarantine import rollback as go_back
    from rfmeta_dist.retrain.registry import find

    _, registry, store = _opened(config, overrides)
    _repair(registry, store)
    event = go_back(registry, store, to, reason=reason)
    version, aside = find(registry, event.facts["number"]), event.facts["quarantine"]
    for domain, batch in aside["batches"]:
        say(f"put aside: the batch {batch} of domain {domain}")
    _told({"champion": version.number, "package": version.package, "event": event.sha256}, json)


def _opened(config: Path, overrides: list[str] | None) -> tuple[Retraining, Registry, Store]:
    from rfmeta_dist.config.retrain import load_retraining
    from rfmeta_dist.retrain.registries import open_registry
    from rfmeta_dist.storage.store import open_store

    chosen = load_retraining(config, overrides or ())
    return chosen, open_registry(chosen), open_store(chosen.registry_place)


def _repair(registry: Registry, store: Store) -> None:
    """Complete what a killed process left, and say so."""
    from rfmeta_dist.retrain.promotion import allowed, repair

    with allowed(store):
        for line in repair(registry, store):
            say(line)


def _waiting(config: Retraining) -> Attempt:
    from rfmeta_dist.retrain.approval import waiting

    found = waiting(config)
    if not found:
        raise RunError(
            f"no attempt in {config.place} waits for approval",
            "give the number of a version; rfmeta models ls lists them",
        )
    return found[-1]


def _refuse_damaged(name: str, found: Checked) -> None:
    if found.damaged:
        raise VerificationError(
            f"{name} is not what was judged: {'; '.join(found.damaged)}",
            "find out who can write there; restore the object from a backup, or start rfmeta retrain again",
        )


def _told(done: dict[str, Any], json: bool) -> None:
    if json:
        print_json(done)
    say(f"the champion is version {done['champion']}, {done['package']}")
    say(f"head of the audit log: {done['event']}")


def _aliases(registry: Registry) -> dict[int, list[str]]:
    """Return the aliases of each version that has any."""
    from rfmeta_dist.retrain.registry import CHALLENGER, CHAMPION

    found: dict[int, list[str]] = {}
    for name in (CHAMPION, CHALLENGER):
        number = registry.alias(name)
        if number is not None:
            found.setdefault(number, []).append(name)
    return found


def _outcome(attempt: Attempt | None) -> str:
    """Return what became of the attempt that made a version."""
    from rfmeta_dist.retrain.attempts import ASKED

    if attempt is None:
        return "registered by hand"
    if not attempt.folder.exists(ASKED):
        return "attempt deleted"
    return str((attempt.outcome or {}).get("outcome", "not ended"))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    marks = [*row["aliases"], *(["quarantined"] if row["quarantined"] else [])]
    batches = ", ".join(row["batches"])
    return str(row["number"]), ", ".join(marks), row["created"], row["outcome"], batches, row["package"]


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.1f} %"
