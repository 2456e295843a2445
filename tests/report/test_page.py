"""The page is self-contained, escaped, complete, reproducible, and says what the ledger shows."""

import json
import re
import shutil

import pytest

from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation import operating
from rfmeta_dist.report import page, plots, records, words
from rfmeta_dist.report.histograms import histogram
from tests.report.looking import Outline, overflow

EVIL = "<script>alert('x')</script>\"'><img src=http://evil.example/x>"


def rendered(files):
    return page.render(records.read_record(files.__getitem__))


@pytest.fixture(scope="module")
def html(run_files):
    return rendered(run_files)


@pytest.fixture
def no_plots(monkeypatch):
    """Leave out the plots, which take seconds, in tests of the text."""
    monkeypatch.setattr(
        page, "_plots", lambda record: {"roc": "", "histograms": dict.fromkeys(UNITS, ()), "curves": []}
    )


def edit(files, name, change):
    value = json.loads(files[name])
    change(value)
    files[name] = json.dumps(value).encode()


def add_read(files, **fields):
    last = json.loads(files["ledger.jsonl"].splitlines()[-1])
    files["ledger.jsonl"] += json.dumps({**last, **fields}).encode() + b"\n"


def test_elements_nest_and_ids_are_unique(html):
    outline = Outline(html)
    assert outline.open == []
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = re.findall(r"url\(#([^)]+)\)", html) + re.findall(r'href="#([^"]+)"', html)
    assert set(used) <= set(ids)


def test_videos_of_one_frame_are_not_shown_again_as_frames(run_files, html, no_plots):
    assert "per frame" in html
    files = dict(run_files)

    def one_frame_each(evaluation):
        figures = evaluation["figures"]
        figures["frame"]["counts"] = figures["video"]["counts"]

    edit(files, "evaluation.json", one_frame_each)
    assert "per video" in rendered(files)
    assert "per frame" not in rendered(files)


def test_few_people_and_intervals_of_earlier_versions_are_pointed_out(run_files, no_plots):
    files = dict(run_files)

    def of_earlier_versions(evaluation):
        for figures in evaluation["figures"].values():
            del figures["bootstrap"]["method"], figures["bootstrap"]["trust"]

    trust = json.loads(files["evaluation.json"])["figures"]["video"]["bootstrap"]["trust"]
    assert trust
    now = rendered(files)
    assert trust in now
    assert "width zero" not in now
    edit(files, "evaluation.json", of_earlier_versions)
    earlier = rendered(files)
    assert trust not in earlier
    assert "An interval of width zero means that no such error was observed." in earlier


def test_nothing_is_loaded_and_nothing_runs(html):
    outline = Outline(html)
    assert not outline.all("script")
    assert not outline.all("link")
    for _, attrs in outline.tags:
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            assert (attrs.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
        assert not any(name.startswith("on") for name in attrs)
    assert "@import" not in html
    assert not re.findall(r"url\((?!#)", html)


def test_pages_are_reproducible(files, html):
    assert rendered(files) == html


def test_every_figure_is_there_as_a_number(html, evaluation):
    for unit in ("frame", "video"):
        figures = evaluation["figures"][unit]
        shown = [figures[n] for n in ("HTER", "AUC", "oracle_EER", "optimism_gap", "BPCER", "ACER")]
        shown += [*figures["APCER"].values(), *figures["BPCER_at_APCER"].values()]
        for figure in shown:
            assert words.percent(figure["value"]) in html
            assert words.interval(figure) in html
        assert f"{figures['threshold']['value']:.4f}" in html
        assert figures["threshold"]["source"] in html


def test_the_headline_says_it_in_words(html, evaluation):
    text = " ".join(re.sub("<[^>]+>", "", html[html.index('class="verdict"') :]).split())
    hter = words.with_interval(evaluation["figures"]["video"]["HTER"]).replace(words.NARROW_SPACE, " ")
    assert f"On M, never seen in training: HTER {hter} per video at the threshold" in text
    assert "not honest" not in html


def test_images_and_plots_have_a_text_alternative(html, run_files):
    outline = Outline(html)
    record = records.read_record(run_files.__getitem__)
    assert len(outline.all("img")) == len(record.examples)
    assert all(image["alt"] for image in outline.all("img"))
    shown = [a for a in outline.all("figure") if a.get("class") == "plot"]
    assert len(shown) == 1 + 4 + 2  # ROC; target and sources by unit; loss and its parts
    assert all(a["role"] == "img" and a["aria-label"] for a in shown)
    assert all(a.get("scope") in {"col", "row"} for a in outline.all("th"))


@pytest.mark.parametrize("field", ["method", "recalibration", "step", "seed"])
def test_text_of_the_run_is_escaped(files, field, no_plots):
    edit(files, "evaluation.json", lambda e: e.update({field: EVIL}))
    assert_harmless(rendered(files))


def test_the_name_of_the_target_is_escaped_in_text_and_plots(files):
    files["scores.parquet"] = renamed(files["scores.parquet"], EVIL)
    files["ledger.jsonl"] = files["ledger.jsonl"].replace(b'"M"', json.dumps(EVIL).encode())
    edit(files, "evaluation.json", lambda e: e.update({"target": EVIL}))
    assert_harmless(rendered(files))


def assert_harmless(html):
    assert "<script" not in html
    assert "<img src=http" not in html
    assert "&lt;script&gt;" in html
    assert Outline(html).open == []


def renamed(parquet, name):
    from dataclasses import replace

    import numpy as np

    from rfmeta_dist.evaluation.scores import Scores

    scores = Scores.from_parquet(parquet)
    return replace(scores, domain=np.where(scores.domain == "M", name, scores.domain)).to_parquet()


def test_config_and_ledger_are_escaped(files, no_plots):
    files["config.yaml"] = f"run: {EVIL}\n</pre><script>1</script>".encode()
    add_read(files, domain=EVIL, purpose=EVIL, split=EVIL, manifest=EVIL, time=EVIL)
    add_read(files, purpose=EVIL, split=EVIL, manifest=EVIL, time=EVIL)
    html = rendered(files)
    assert "<script" not in html
    assert len(Outline(html).all("img")) == len(records.read_record(files.__getitem__).examples)


def test_a_read_outside_the_evaluation_takes_the_claim_back(files, no_plots):
    add_read(files, purpose="tuning", sealed=False)
    html = rendered(files)
    assert "never seen in training" not in html
    assert "These figures are not honest" in html
    assert "tuning" in html


def test_repeated_and_missing_reads_of_the_target_are_told(files, no_plots):
    add_read(files, time="2025-11-24T09:00:00+00:00")
    html = rendered(files)
    assert "was read 2 times" in html
    assert html.index("2025-11-23 20:45:00") < html.index("2025-11-24 09:00:00")
    files["ledger.jsonl"] = b"\n".join(files["ledger.jsonl"].splitlines()[:-2])
    assert "ledger shows no read of M" in rendered(files)


def test_changed_data_shows_two_fingerprints(files, no_plots):
    add_read(files, domain="O", split="train", manifest="ab" * 32, sealed=False)
    html = rendered(files)
    assert "ab" * 32 in html
    assert "4f" * 32 in html


def test_parts_of_the_loss_are_whatever_the_method_has():
    _, parts = plots.training([{"step": i, "loss": 1.0, "cls": 0.5, "dep": 0.0} for i in range(3)])
    assert ">cls</text>" in parts
    assert ">dep</text>" not in parts  # switched off: zero has no place on a logarithmic axis


def test_every_need_has_a_row_that_says_whether_its_limit_is_kept(files, evaluation, no_plots):
    # With 8 subjects, the interval of a rate of zero reaches to 37 %. So no limit is surely kept.
    points = evaluation["figures"]["video"]["operating_points"]
    section = rendered(files).split("<h2>Thresholds for each need</h2>")[1].split("<details>")[0]
    rows = {re.search(r">([a-z@0-9-]+)", row)[1]: row for row in section.split("<tr>")[3:]}
    assert list(rows) == list(points)
    for name, row in rows.items():
        at, limit = points[name], operating.limit(name)
        for shown in (at["BPCER"]["value"], at["sources"]["BPCER"], at["oracle"]["APCER_worst"]["value"]):
            assert words.percent(shown) in row
        expected = "unclear" if limit else "–"
        if limit and at[limit[0]]["low"] > limit[1]:
            expected = '<strong class="oracle">no</strong>'
        assert f"<td>{expected}</td>" in row
        assert ("&nbsp;*" in row) == bool(at["unresolved"])
    assert (
        "needs at least 100 recordings of each attack type, but there are 24 of print, 24 of replay" in section
    )


def test_a_limit_is_kept_if_the_whole_interval_says_so(files, no_plots):
    def many_people(evaluation):
        for part in evaluation["figures"].values():
            part["counts"]["subjects"] = 1000
            part["operating_points"]["apcer@bpcer5"]["BPCER"] = {"value": 0.0, "low": 0.0, "high": 0.0}

    edit(files, "evaluation.json", many_people)
    row = rendered(files).split("apcer@bpcer5")[1].split("</tr>")[0]
    assert "<td>yes</td>" in row


def test_a_run_without_steps_has_no_training_section(files, no_plots):
    files["metrics.jsonl"] = b""
    assert "<h2>Training</h2>" not in rendered(files)


def test_dollar_signs_are_not_mathematics(run_files):
    record = records.read_record(run_files.__getitem__)
    assert "$\\frac$" in histogram(record.target, 0.5, "$\\frac$", "h")


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_no_horizontal_overflow_on_a_phone(html, tmp_path):
    assert overflow(html, tmp_path) == 0


def test_the_foot_names_the_jobs_of_all_starts(run_files, no_plots):
    run_files = dict(run_files)
    run_files.pop("starts.jsonl", None)
    assert "trace" not in rendered(run_files).partition("<footer>")[2]
    run_files["starts.jsonl"] = b'{"trace": "job-1"}\n{"trace": "job-2<b>"}\n'
    assert ", trace job-1, job-2&lt;b&gt;.</footer>" in rendered(run_files)
