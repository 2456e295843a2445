"""`rfmeta models`: what was edited is never promoted, and what the gate refused only with a reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.promotion import champion
from rfmeta_dist.storage.store import open_store
from tests.conftest import Ending
from tests.retrain.judged import BETTER, WORSE, Judged, package

Run = Callable[..., Ending]


@pytest.fixture
def shop(tmp_path: Path) -> Judged:
    """A retraining whose version 1 is champion."""
    made = Judged(tmp_path)
    made.promoted()
    return made


def at(shop: Judged) -> int:
    found = champion(open_store(shop.config.registry_place))
    assert found is not None
    return found.number


def last(shop: Judged) -> dict[str, Any]:
    """The facts of the event that made the present champion."""
    log, now = Log(open_store(shop.config.registry_place)), champion(open_store(shop.config.registry_place))
    (event,) = [event for event in log.events() if now is not None and event.sha256 == now.decided]
    return {"kind": event.kind, **event.facts}


def test_what_waits_is_listed_promoted_and_then_waits_no_more(shop: Judged, rfmeta: Run) -> None:
    waiting = shop.attempt(BETTER)
    listed = json.loads(rfmeta("models", "ls", shop.file, "--json").out)
    assert [row["number"] for row in listed["versions"]] == [1]
    assert listed["versions"][0]["aliases"] == ["champion"]
    assert listed["waiting"] == [waiting.folder.url]

    done = json.loads(rfmeta("models", "promote", shop.file, "--json").out)
    assert (done["champion"], at(shop)) == (2, 2)
    assert done["event"] in {event.sha256 for event in Log(open_store(shop.config.registry_place)).events()}
    assert last(shop)["why"].startswith("Promoted: the challenger makes significantly fewer errors")
    listed = json.loads(rfmeta("models", "ls", shop.file, "--json").out)
    assert [(row["number"], row["aliases"], row["outcome"]) for row in listed["versions"]] == [
        (1, [], "promoted"),
        (2, ["champion"], "approve"),
    ]
    assert listed["versions"][1]["batches"] == ["A/b1", "A/b2"]
    assert listed["waiting"] == []
    nothing = rfmeta("models", "promote", shop.file)
    assert (nothing.code, "waits for approval" in nothing.error) == (5, True)
    again = rfmeta("models", "promote", shop.file, "2")
    assert (again.code, "version 2 is the champion already" in again.error) == (5, True)
    table = rfmeta("models", "ls", shop.file)
    assert table.code == 0
    assert "champion" in table.out


def edit(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


EDITS: dict[str, tuple[Callable[[Path], None], str]] = {
    "decision": (
        lambda f: edit(f / "verdict.json", decision="promoted"),
        "decision: promoted is stored, refused",
    ),
    "settings": (lambda f: edit(f / "verdict.json", settings={"margin": 50.0}), "verdict.json is not what"),
    "no verdict": (lambda f: (f / "verdict.json").unlink(), "verdict.json does not exist"),
    "no scores": (lambda f: (f / "scores.parquet").unlink(), "scores.parquet does not exist"),
    "scores": (lambda f: (f / "scores.parquet").write_bytes(b"PAR1"), "scores: the verdict is about scores"),
    "no JSON": (lambda f: (f / "verdict.json").write_text("{"), "verdict.json is damaged"),
    "model": (
        lambda f: (f / "package/model.onnx").write_bytes(b"other"),
        "model.onnx of the deployment package",
    ),
    "package": (
        lambda f: (shutil.rmtree(f / "package"), package(f / "package", "other"))[0],
        "verdict.json is about another package",
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_what_was_edited_is_not_promoted_whatever_the_options(shop: Judged, rfmeta: Run, what: str) -> None:
    tamper, named = EDITS[what]
    attempt = shop.attempt(WORSE)
    tamper(Path(attempt.folder.url))
    for more in ((), ("--anyway", "--reason", "now")):
        ending = rfmeta("models", "promote", shop.file, *more)
        assert (ending.code, named in ending.error) == (1, True), ending.error
    assert at(shop) == 1


def test_what_was_edited_after_it_was_registered_is_shown_and_not_promoted(shop: Judged, rfmeta: Run) -> None:
    shop.promoted(BETTER)
    shown = rfmeta("models", "show", shop.file, "2", "--json")
    assert shown.code == 0
    told = json.loads(shown.out)
    assert (told["aliases"], told["damaged"]) == (["champion"], [])
    assert told["tags"]["audit"]
    cells = rfmeta("models", "show", shop.file, "2").out.replace("\n", "").replace(" ", "")
    assert "Promoted:thechallenger" in cells  # the verdict's sentence, and not only its hash
    verdict = Path(told["tags"]["attempt"]) / "verdict.json"
    verdict.write_text(verdict.read_text() + " ")
    shown = rfmeta("models", "show", shop.file, "2")
    assert (shown.code, "verdict.json was edited after" in shown.error) == (1, True)


def test_a_version_whose_attempt_was_deleted_is_listed_and_not_promoted(shop: Judged, rfmeta: Run) -> None:
    shutil.rmtree(shop.promoted(BETTER).tags["attempt"])
    assert "attempt deleted" in rfmeta("models", "ls", shop.file, "--json").out
    assert rfmeta("models", "rollback", shop.file, "--reason", "a test").code == 0
    ending = rfmeta("models", "promote", shop.file, "2", "--anyway", "--reason", "a test")
    assert (ending.code, "was deleted or moved" in ending.error) == (5, True), ending.error


def test_an_edited_or_shortened_audit_log_is_noticed(shop: Judged, rfmeta: Run) -> None:
    shop.attempt(BETTER)
    assert rfmeta("models", "promote", shop.file).code == 0
    assert rfmeta("models", "show", shop.file, "2").code == 0
    audit = Path(shop.config.registry_place) / "audit"
    kept = {path: path.read_bytes() for path in audit.iterdir()}
    for path in sorted(audit.iterdir())[1:]:
        path.unlink()  # the tag `audit` of version 2 still names the event that was the last one
    shown = rfmeta("models", "show", shop.file, "2")
    assert (shown.code, "the log ends with event 1" in shown.error) == (1, True)
    for path, data in kept.items():
        path.write_bytes(data)
    edit(audit / "000001.json", kind="nothing")
    for command in (("show", "2"), ("promote", "1"), ("rollback", "--reason", "x"), ("ls",)):
        ending = rfmeta("models", command[0], shop.file, *command[1:])
        assert (ending.code, "000001.json was edited" in ending.error) == (1, True)


def test_what_the_gate_refused_is_promoted_only_with_a_reason(shop: Judged, rfmeta: Run) -> None:
    shop.attempt(WORSE)
    ending = rfmeta("models", "promote", shop.file)
    assert (ending.code, "the verdict is refused, not promoted" in ending.error) == (5, True)
    ending = rfmeta("models", "promote", shop.file, "--anyway")
    assert (ending.code, "--reason TEXT" in ending.error) == (2, True)
    assert at(shop) == 1
    assert rfmeta("models", "promote", shop.file, "--anyway", "--reason", "new cards everywhere").code == 0
    facts = last(shop)
    assert (facts["reason"], facts["against"]) == (
        "new cards everywhere",
        ["the verdict is refused, not promoted"],
    )


def test_other_settings_of_the_gate_and_another_champion_speak_against(shop: Judged, rfmeta: Run) -> None:
    first, second = shop.attempt(BETTER), shop.attempt(BETTER)
    ending = rfmeta("models", "promote", shop.file, "--set", "gate.margin=3")
    assert "other settings of the gate" in ending.error
    assert rfmeta("models", "promote", shop.file).code == 0  # the newest
    assert last(shop)["attempt"] == second.folder.url
    from rfmeta_dist.retrain.registering import register

    number = register(shop.config, first).number
    ending = rfmeta("models", "promote", shop.file, number)
    assert (
        ending.code,
        "it was compared with version 1; since then" in ending.error,
    ) == (
        5,
        True,
    )


def test_a_rollback_puts_aside_what_is_then_promoted_only_with_a_reason(shop: Judged, rfmeta: Run) -> None:
    shop.promoted(BETTER)
    ending = rfmeta("models", "rollback", shop.file, "--reason", "complaints", "--json")
    assert json.loads(ending.out)["champion"] == at(shop) == 1
    assert "put aside: the batch b2 of domain A" in ending.err
    assert last(shop)["kind"] == "rollback"
    rows = json.loads(rfmeta("models", "ls", shop.file, "--json").out)["versions"]
    assert [row["quarantined"] for row in rows] == [False, True]
    shop.attempt(BETTER)  # trained on b1, b2 and b3
    ending = rfmeta("models", "promote", shop.file)
    assert "it was trained on the batch b2 of domain A, which a rollback has put aside" in ending.error
    ending = rfmeta("models", "promote", shop.file, "2")
    assert "a rollback has put this data, code and configuration aside" in ending.error
    assert rfmeta("models", "promote", shop.file, "2", "--anyway", "--reason", "was the light").code == 0
    assert at(shop) == 2


def test_versions_are_compared_on_the_same_videos_if_one_was_judged_against_the_other(
    shop: Judged, rfmeta: Run
) -> None:
    shop.promoted(BETTER)
    shop.promoted(BETTER)
    found = json.loads(rfmeta("models", "compare", shop.file, "1", "2", "--json").out)
    rates = {(row["part"], row["type"]): row for row in found["rates"]}
    assert found["same_videos"]
    assert rates["new", "card"] == {"part": "new", "type": "card", "rate": "APCER", "a": 0.3, "b": 0.02}
    turned = json.loads(rfmeta("models", "compare", shop.file, "2", "1", "--json").out)
    assert [(row["a"], row["b"]) for row in turned["rates"]] == [(r["b"], r["a"]) for r in found["rates"]]
    apart = json.loads(rfmeta("models", "compare", shop.file, "1", "3", "--json").out)
    assert not apart["same_videos"]
    assert {row["a"] for row in apart["rates"]} == {None}
    text = rfmeta("models", "compare", shop.file, "2", "3")
    assert "30.0 %" in text.out
    assert "the videos are the same" in text.err


@pytest.mark.parametrize(
    "command", [("show", "9"), ("promote", "9"), ("compare", "1", "9"), ("rollback", "--to", "9")]
)
def test_a_version_that_does_not_exist_is_told(shop: Judged, rfmeta: Run, command: tuple[str, ...]) -> None:
    reason = ("--reason", "x") if command[0] == "rollback" else ()
    ending = rfmeta("models", command[0], shop.file, *command[1:], *reason)
    assert (ending.code, "has no version 9" in ending.error) == (5, True)
