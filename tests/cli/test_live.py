"""The table of many trainings: what is shown first, how much fits, the time left, and lines in a log."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from rfmeta_dist.cli import live, terminal, watch
from rfmeta_dist.cli.live import Board, live_table

NAMES = {f"r-to_{target}-s{seed}": (target, "rfmeta", str(seed)) for target in "CIMO" for seed in range(3)}
COLUMNS = ("target", "method", "seed")


def step(label: str, done: int, steps: int = 100, seconds: float = 2.0, **more: object) -> dict:
    return {"label": label, "step": done - 1, "steps": steps, "loss": 0.5, "seconds": seconds, **more}


def text(board: Board, room: int = 40, width: int = 100) -> list[str]:
    sink = io.StringIO()
    Console(file=sink, width=width).print(board.table(room))
    return sink.getvalue().splitlines()


@pytest.fixture
def board() -> Board:
    return Board(COLUMNS, NAMES)


def test_trainings_that_run_come_first_then_those_that_failed_and_the_rest_is_counted(board):
    board.show({"label": "r-to_C-s1", "state": live.FAILED, "reason": "no domain 'C'"})
    board.show({"label": "r-to_C-s0", "state": live.DONE, "validation": 0.031})
    board.show(step("r-to_O-s2", 7))
    head, _, first, second, third, *rest = text(board, room=3)
    assert head.split() == ["target", "method", "seed", "step", "loss", "sources'", "HTER", "left", "state"]
    assert first.split() == ["O", "rfmeta", "2", "7/100", "0.5", "3.1", "min", "training"]
    assert second.split()[:3] == ["C", "rfmeta", "1"]
    assert second.rstrip().endswith("failed: no domain 'C'")
    assert third.rstrip().endswith("waiting")
    said = " ".join(" ".join(rest).split())
    assert "9 more trainings are not shown" in said
    assert "9 waiting, 1 training, 1 done, 1 failed" in said


def test_it_fits_into_80_columns_and_into_the_lines_of_the_terminal(board):
    for name in NAMES:
        board.show({"label": name, "state": live.FAILED, "reason": "something long " * 20})
    lines = text(board, room=5, width=80)
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 5 + live.AROUND


def test_the_time_left_is_that_of_all_trainings_shared_by_those_that_run(board):
    assert "left" not in board.summary()
    for name in ("r-to_C-s0", "r-to_I-s0"):
        board.show(step(name, 50))
    # Ten trainings of 200 s wait, and two have 100 s left; two run at once.
    assert board.left == pytest.approx((10 * 200 + 2 * 100) / 2)
    board.show(step("r-to_I-s0", 100))  # is judged now, and another one will train in its place
    assert board.left == pytest.approx((10 * 200 + 100) / 2)
    board.show(step("r-to_I-s0", 50))
    assert board.summary().endswith("; about 18.3 min of training left")


def test_no_estimate_is_shorter_than_the_longest_training(board):
    few = Board(COLUMNS, dict(list(NAMES.items())[:2]))
    few.show(step("r-to_C-s0", 99, seconds=1))
    few.show(step("r-to_C-s1", 1, seconds=1))
    assert few.left == pytest.approx(99)


def test_a_paused_training_comes_last_and_the_time_left_may_be_known_from_elsewhere():
    board = Board(("training",), {}, lambda: 7200.0)
    board.show(step("a", 30))
    board.show({"label": "a", "state": live.JUDGING, "validation": 0.25})
    board.show({"label": "a", "state": live.PAUSED})
    board.show(step("b", 10))
    _, _, first, second, *rest = text(board)
    assert first.split()[0] == "b"
    assert second.split() == ["a", "30/100", "0.5", "25.0", "%", "paused"]
    assert " ".join(" ".join(rest).split()) == "1 training, 1 paused; about 2.0 h of training left"


def test_a_training_that_nobody_announced_gets_a_line_and_its_name_is_inert():
    board = Board(("candidate", "without"), {})
    board.show(step("x\x1b[2J[/red]", 1))
    (line,) = [line for line in text(board) if "training" in line and "1/100" in line]
    assert "[/red]" in line
    assert "\x1b" not in line


def test_a_training_is_judged_after_its_last_step_and_a_step_without_a_loss_shows_none(board):
    assert board.show(step("r-to_C-s0", 99)) is True
    assert board.show({"label": "r-to_C-s0", "step": 99, "steps": 100, "skipped": True, "seconds": 1.0}) is True
    assert board.lines["r-to_C-s0"].shown()[3:5] == ["100/100", ""]
    assert board.silent() == ["r-to_C-s0"]


def test_a_log_gets_ten_lines_of_a_training_and_one_for_each_change_of_its_state(monkeypatch):
    sink = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=sink))
    monkeypatch.setattr(live, "console", terminal.console)
    with live_table(COLUMNS, NAMES, False, found=[{"label": "r-to_O-s0", "state": live.DONE}]) as show:
        for done in range(1, 101):
            show(step("r-to_C-s0", done, images_per_second=80.0))
        for _ in range(2):
            show({"label": "r-to_C-s0", "state": live.DONE, "validation": 0.031})
        show({"label": "r-to_C-s1", "state": live.FAILED, "reason": "the disk is full"})
    lines = sink.getvalue().splitlines()
    assert len(lines) == 12
    assert lines[0] == "train → r-to_C-s0  10/100  loss 0.5  80 images/s, 3.0 min left"
    assert lines[10:] == ["done → r-to_C-s0  sources' HTER 3.1 %", "failed → r-to_C-s1: the disk is full"]


def test_a_terminal_shows_the_table_while_messages_pass_above_it(monkeypatch):
    sink = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=sink, force_terminal=True, width=100, height=30))
    monkeypatch.setattr(live, "console", terminal.console)
    with live_table(COLUMNS, NAMES, False) as show:
        show(step("r-to_M-s1", 3))
        terminal.say("waiting for machines")
        terminal.console._live_stack[-1].refresh()
    assert "3/100" in sink.getvalue()
    assert "waiting for machines" in sink.getvalue()


def test_quiet_prints_nothing(monkeypatch):
    sink = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=sink, force_terminal=True))
    monkeypatch.setattr(live, "console", terminal.console)
    with live_table(COLUMNS, NAMES, True) as show:
        show(step("r-to_M-s1", 10))
    assert sink.getvalue() == ""


@pytest.mark.parametrize("often", [True, False])
def test_folders_are_looked_at_where_no_news_comes_and_at_the_end(monkeypatch, often):
    monkeypatch.setattr(live, "LOOK_S", 0.01 if often else 3600)
    said: list[str] = []
    looked = threading.Event()
    monkeypatch.setattr(live, "say", said.append)

    def look(label: str) -> dict:
        looked.set()
        return {"state": live.DONE, "validation": 0.25}

    with live_table(COLUMNS, NAMES, False, look=look) as show:
        show(step("r-to_C-s0", 5))  # trains, and its news are fresh: its folder is left alone
        show(step("r-to_M-s0", 100, images_per_second=1.0))
        if often:
            assert looked.wait(20)
    assert [line for line in said if line.startswith("done")] == ["done → r-to_M-s0  sources' HTER 25.0 %"]


def test_a_reason_that_becomes_known_later_is_told(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(live, "say", said.append)
    with live_table(COLUMNS, NAMES, False) as show:
        for reason in ("reason at the end", "the disk is full", "the disk is full"):
            show({"label": "r-to_C-s1", "state": live.FAILED, "reason": reason})
    assert said == ["failed → r-to_C-s1: reason at the end", "failed → r-to_C-s1: the disk is full"]


def test_the_progress_of_a_training_has_no_line_for_a_change_of_state(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(watch, "say", said.append)
    with watch.training_display(False) as show:
        show({"label": "M", "state": live.JUDGING})
        show(step("M", 10, images_per_second=80.0))
    assert [line.split("  ")[0] for line in said] == ["train → M"]
