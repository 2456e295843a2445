"""`rfmeta retrain`: look for a reason to train a challenger, and if there is one, train, judge, promote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Address, Json, Notices, Overrides, Slots, print_json, say
from rfmeta_dist.cli.watch import training_display

if TYPE_CHECKING:
    from rfmeta_dist.cluster.retrain import Doing
    from rfmeta_dist.config.retrain import Retraining
    from rfmeta_dist.retrain.attempts import Attempt
    from rfmeta_dist.retrain.watch import Decision, Seen

EXAMPLES = """
[bold]Examples[/]

  rfmeta example retrain > retrain.yaml

  rfmeta retrain retrain.yaml              [dim]# as often as you like, such as every night[/]

  rfmeta retrain retrain.yaml --dry-run    [dim]# only say whether there is a reason, and why or why not[/]

  rfmeta retrain retrain.yaml --scores s3://bucket/scores    [dim]# also watch the scores of production[/]

  rfmeta retrain retrain.yaml --force      [dim]# try again what was tried, with another seed[/]

New labelled data, new code or a new configuration is a reason. Without one, the command ends within seconds.
If it is interrupted, give it again: it continues. Data that lands meanwhile is looked at by the next one.
"""


def retrain(
    config: Annotated[
        Path, typer.Argument(metavar="RETRAIN", help="File of the retraining, YAML.", show_default=False)
    ],
    overrides: Overrides = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Train even if this data, code and configuration were tried before."),
    ] = False,
    scores: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Tables of production scores, in which drift is looked for."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and why, and do nothing.")
    ] = False,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train a challenger if new data, code or configuration asks for it, and promote it if it does better."""
    from rfmeta_dist.config.retrain import load_retraining

    chosen = load_retraining(config, overrides or ())

    from rfmeta_dist.retrain import look, opening, watch
    from rfmeta_dist.storage.lease import RETRAINED, held
    from rfmeta_dist.storage.store import open_store

    drift = None if scores is None else opening.drift_of(chosen, scores)
    seen = opening.see(chosen, drift)
    decision = watch.decide(chosen, seen, forced=force)
    told = {"decision": decision.act, "reasons": decision.reasons, "notes": decision.notes, "drift": drift}
    _say(seen, decision, drift)
    if drift is not None and not dry_run:
        opening.keep_drift(chosen, drift)
    if not dry_run:
        look.keep(chosen, seen, decision)
    if dry_run or decision.act == "nothing":
        if json:
            print_json(told)
        return
    from rfmeta_dist.cluster.retrain import Doing

    notices = Notices()
    with held(open_store(chosen.place), RETRAINED):
        for line in opening.repaired(chosen):
            say(line)
        # Another process may have ended an attempt, or somebody moved the alias in MLflow.
        decision = watch.decide(chosen, opening.see(chosen, drift), forced=force)
        doing = Doing(notices.tell, lambda: training_display(json), slots, address, drift)
        outcome = _work(chosen, decision, doing)
    if json:
        print_json({**told, **outcome})


def _say(seen: Seen, decision: Decision, drift: dict[str, Any] | None) -> None:
    """Say what will be done, and why or why not."""
    if drift is not None:
        say(drift["sentence"], *drift["notes"], f"what this cannot see: {drift['blind'][0]}")
    for note in decision.notes:
        say(note)
    if decision.act == "nothing":
        there = "there is no champion"
        if seen.champion is not None:
            there = f"the champion is version {seen.champion['number']}"
        say(f"nothing to do; {there}")
    else:
        for reason in decision.reasons:
            say(f"reason: {reason}")


def _work(config: Retraining, decision: Decision, doing: Doing) -> dict[str, Any]:
    """Begin or continue an attempt, work on it, and say what became of it."""
    from rfmeta_dist.cluster.retrain import work
    from rfmeta_dist.retrain import attempts
    from rfmeta_dist.storage.store import open_store

    attempt: Attempt
    if decision.attempt is not None:
        attempt = decision.attempt
    elif decision.asked is not None:
        attempt = attempts.begin(open_store(config.place), decision.asked, decision.known)
    else:
        say("another process has done it meanwhile; nothing to do")
        return {}
    say(f"attempt {attempt.asked.number} at {attempt.folder.url}")
    outcome = work(config, attempt, doing)
    why = str(outcome["why"])
    say(why if why.lower().startswith(outcome["outcome"]) else f"{outcome['outcome']}: {why}")
    say(f"the page is at {attempt.folder.url}/page.html")
    return {"attempt": attempt.folder.url, **outcome}
