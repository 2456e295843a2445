"""The page of a study shows the figures of its views, says what they are worth, and needs no other file."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.report import study as page
from rfmeta_dist.report import study_plots
from rfmeta_dist.report.words import percent
from rfmeta_dist.tuning import deploy
from rfmeta_dist.tuning.results import DIVERGED, Result
from rfmeta_dist.tuning.standing import Standing, stand
from tests.report.looking import Outline, overflow
from tests.tuning.stored import made_up, seen, store, train
from tests.tuning.studies import base, study

RUNGS = {"candidates": 16, "batch": 8, "rungs": [2, 4]}


def small(folder: Path, **changes):
    return study(folder=str(folder), **{"base": check(base(steps=8), "test"), "search": RUNGS, **changes})


def diverged(config, judged, step) -> Result:
    return Result(None, None, "<script>alert('the loss is not finite')</script>", DIVERGED)


@pytest.fixture(scope="module")
def standing(tmp_path_factory) -> Standing:
    found = store(small(tmp_path_factory.mktemp("study")))
    train(found, made_up)
    return stand(seen(found))


@pytest.fixture(scope="module")
def html(standing: Standing) -> str:
    return page.render(standing)


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots, which take seconds, in tests of the text."""
    for kind in ("history", "rungs", "parallel", "importance"):
        monkeypatch.setattr(study_plots, kind, lambda *_: "")


def begun(folder: Path) -> Standing:
    return stand(seen(store(small(folder))))


def under_way(folder: Path) -> Standing:
    found = store(small(folder))
    train(found, made_up, most=70)
    return stand(seen(found))


def stopped(folder: Path) -> Standing:
    found = store(small(folder))
    train(found, diverged)
    return stand(seen(found))


def out_of_time(folder: Path) -> Standing:
    found = store(small(folder, search={"candidates": 4, "batch": 2}, metric="auc"))
    train(found, made_up, most=12)
    found.state = replace(found.state, cohorts=1)
    train(found, made_up)
    return stand(seen(found))


def validated(folder: Path) -> Standing:
    found = store(small(folder, selection="source_validation", search={"candidates": 3}, targets=["M", "C"]))
    train(found, made_up)
    return stand(seen(found))


class Tables(HTMLParser):
    """The cells of each table, by its label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.label, self.in_cell = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.label = dict(attrs).get("aria-label") or self.label
        if tag == "tr":
            self.rows.setdefault(self.label, []).append([])
        elif tag in ("td", "th"):
            self.rows[self.label][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self.in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[self.label][-1][-1] += data


def shown(value: float | None) -> str:
    return "–" if value is None else percent(value)


def test_the_table_of_each_target_has_the_figures_of_its_view(standing: Standing, html: str):
    tables = Tables(html).rows
    for target, view in standing.views.items():
        head, *rows = tables[f"Candidates for {target}"]
        by_number = {int(row[0]): row for row in rows}
        assert set(by_number) == {entry.candidate.number for entry in view.entries}
        for entry in view.entries:
            row = by_number[entry.candidate.number]
            mean = sum(entry.folds.values()) / 3
            assert row[1] == percent(mean)
            assert row[2:5] == [percent(entry.folds[fold]) for fold in head[2:5]]
            assert (row[5] == f"stopped at step {entry.stopped}") == (entry.stopped is not None)
            if entry.value is not None:
                assert mean == pytest.approx(entry.value)


def test_the_choice_of_each_target_comes_first_with_its_base(standing: Standing, html: str):
    _, *rows = Tables(html).rows["What was chosen for each target"]
    assert len(rows) == 4
    for row in rows:
        chosen, view = standing.chosen(row[0]), standing.views[row[0]]
        assert chosen is not None
        assert row[1].split()[0] == str(chosen.candidate.number)
        assert row[2] == shown(chosen.value)
        assert row[3] == shown(view.entries[0].value)
    assert html.index("These figures flatter") < html.index("All candidates, by target and fold")
    assert "are the same" in html  # rfmeta and aggregate, with four domains


def test_trainings_and_steps_are_those_of_the_study(standing: Standing, html: str):
    effort = standing.effort()
    rows = {row[0]: row[1:] for row in Tables(html).rows["Trainings and steps"]}
    assert rows["Done"] == [f"{effort.trainings:,}", f"{effort.steps:,}"]
    alone, shared, early = (rows[name][1] for name in list(rows)[1:4])
    numbers = [int(text.replace(",", "")) for text in (alone, shared, early)]
    assert numbers[0] - numbers[1] - numbers[2] == effort.steps


def test_the_choice_to_ship_is_kept_apart_and_is_the_best_over_all_targets(standing: Standing, html: str):
    best = deploy.ranked(standing.study, list(standing.views.values()))[0]
    section = html[html.index("For a model to ship") : html.index("All candidates, by target")]
    assert f"Candidate {best.candidate.number} has" in section
    assert percent(best.value) in section
    assert "must not be used to report" in section


def test_pages_are_reproducible(standing: Standing, html: str):
    assert page.render(standing) == html


@pytest.mark.parametrize("state", [None, begun, under_way, stopped, out_of_time, validated])
def test_elements_nest_ids_are_unique_and_nothing_is_loaded(
    state: Callable[[Path], Standing] | None, html: str, tmp_path: Path
):
    text = page.render(state(tmp_path)) if state else html
    outline = Outline(text)
    assert outline.open == []
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert not outline.all("script")
    assert not outline.all("link")
    for _, attrs in outline.tags:
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            assert (attrs.get(name) or "#").startswith("#")
    assert not re.findall(r"url\((?!#)", text)


def test_a_study_of_which_nothing_is_done_says_so(tmp_path: Path, no_plots):
    text = page.render(begun(tmp_path))
    assert "has not come to its end: 96 trainings are wanted now" in text
    assert text.count("none has come to its end yet") == 4
    assert "For a model to ship" not in text
    assert "Too few candidates" in text


def test_a_study_under_way_does_not_call_its_best_candidates_chosen(tmp_path: Path, no_plots):
    text = page.render(under_way(tmp_path))
    assert "is best so far" in text
    assert "was chosen" not in text
    assert ", <strong>chosen" not in text


def test_a_target_that_was_stopped_says_why_and_no_text_becomes_an_element(tmp_path: Path, no_plots):
    text = page.render(stopped(tmp_path))
    assert text.count("was stopped:</strong> its first 3 candidates all failed in the same way") == 4
    assert "No configuration was chosen" in text
    assert "a configuration was chosen without" not in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_a_study_that_ended_by_its_hours_says_that_the_choice_depended_on_time(tmp_path: Path, no_plots, html):
    found = out_of_time(tmp_path)
    text = page.render(found)
    assert "The choice depended on time" in text
    assert "The choice depended on time" not in html
    _, *rows = Tables(text).rows["What was chosen for each target"]
    assert all("of 2, 2 to the end" in row[1] for row in rows)
    values = {entry.value for entry in found.views["M"].entries}
    assert shown(max(values)) in rows[[row[0] for row in rows].index("M")][2]  # of AUC the highest is the best


def test_a_study_by_source_validation_claims_no_folds(tmp_path: Path, no_plots):
    text = page.render(validated(tmp_path))
    assert "are the same" not in re.sub(r"<[^>]+>", "", text).replace("values are the same", "")
    assert "same cameras" in text
    assert "For a model to ship" not in text


def test_the_page_is_made_without_optuna_and_says_what_is_missing(
    standing: Standing, no_plots, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert page.render(standing).count("optuna is not installed") == 1  # for all targets together


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_no_horizontal_overflow_on_a_phone(html: str, tmp_path: Path):
    assert overflow(html, tmp_path) == 0


@pytest.mark.parametrize("kind", ["tpe", "gp"])
def test_candidates_that_differ_between_targets_are_each_in_their_own_table(
    tmp_path: Path, no_plots, kind: str
):
    found = store(small(tmp_path, search={"kind": kind, "candidates": 6, "startup": 4, "batch": 2}))
    train(found, made_up)
    standing = stand(seen(found))
    text = page.render(standing)
    assert "each target has candidates of its own after the first 4" in text
    values = set()
    for target, view in standing.views.items():
        last = view.entries[-1]
        (row,) = (row for row in Tables(text).rows[f"Candidates for {target}"] if row[0] == "5")
        rate = last.candidate.values["method.inner_learning_rate"]
        assert row[-2] == f"{rate:.4g}"
        values.add(rate)
    assert len(values) > 1
    effort = standing.effort()
    assert 4 * 6 + 2 * 6 < effort.trainings <= 4 * 6 + 2 * 12  # only the first 4 are shared by all targets
    assert effort.asked == 6 * 12
