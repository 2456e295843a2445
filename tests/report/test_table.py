"""The leave-one-out table has the right values, seeds and means, and equal rows in three forms."""

import copy
import io

import pytest

from rfmeta_dist.report import leave_one_out, published, table
from rfmeta_dist.report.leave_one_out import Judged
from rfmeta_dist.report.table import Missing


@pytest.fixture
def run(evaluation):
    def make(target="M", method="rfmeta", seed=0, hter=0.2, low=0.1, high=0.3):
        made = copy.deepcopy(evaluation)
        made |= {"target": target, "method": method, "seed": seed}
        made["sources"] = [name for name in "OCIM" if name != target]
        made["figures"]["video"]["HTER"] = {"value": hter, "low": low, "high": high}
        return made

    return make


def test_one_run_shows_its_interval(run):
    (row,) = table.rows([run(hter=0.173, low=0.121, high=0.22)])
    assert (row.split, row.method, row.seeds) == ("O&C&I→M", "rfmeta", "1")
    assert row.hter == "17.3 [12.1, 22.0]"


def test_several_seeds_show_mean_deviation_and_the_widest_interval(run):
    seeds = [run(seed=0, hter=0.1, low=0.05), run(seed=1, hter=0.2, high=0.4), run(seed=2, hter=0.3)]
    (row,) = table.rows(seeds)
    assert row.hter == "20.0 ± 10.0 [5.0, 40.0]"  # sample deviation of 10, 20, 30
    assert row.seeds == "3"


def test_a_method_over_several_targets_gets_a_mean_in_which_targets_count_alike(run):
    runs = [run("M", hter=0.1), run("M", seed=1, hter=0.3), run("C", hter=0.4)]
    rows = table.rows([*runs, run("M", "no_meta")])
    assert [row.split for row in rows] == ["O&C&I→M", "O&I&M→C", "mean of 2", "O&C&I→M"]
    assert rows[2].hter == "30.0"


def test_the_mean_over_targets_varies_from_seed_to_seed(run):
    runs = [
        run("M", seed=0, hter=0.1),
        run("M", seed=1, hter=0.3),
        run("C", seed=1, hter=0.5),
        run("C", hter=0.3),
    ]
    assert table.rows(runs)[2].hter == "30.0 ± 14.1"  # seed 0 has the mean 20, seed 1 has 40


def lost(target: str, seed: int = 0, method: str = "rfmeta") -> Missing:
    return Missing(target, [name for name in "OCIM" if name != target], method, seed, "the disk is full")


def test_a_mean_over_fewer_targets_or_seeds_than_asked_for_says_so(run):
    judged = [run("M", hter=0.1), run("M", seed=1, hter=0.3), run("C", hter=0.4)]
    m, c, o, mean = table.rows(judged, missing=[lost("C", 1), lost("O", 0), lost("O", 1)])
    assert (m.seeds, c.seeds, o.seeds) == ("2", "1 of 2", "0 of 2")
    assert (o.split, o.hter, o.auc) == ("C&I&M→O", table.MISSING, table.MISSING)
    assert o.split.endswith("→O")
    assert (mean.split, mean.seeds, mean.hter) == ("mean of 2 of 3", "3 of 6", "30.0")


def test_a_method_without_any_result_is_in_the_table_too(run):
    rows = table.rows([run("M")], missing=[lost("M", 0, "no_meta"), lost("C", 0, "no_meta")])
    assert [(row.method, row.split, row.hter) for row in rows[1:]] == [
        ("no_meta", "O&C&I→M", table.MISSING),
        ("no_meta", "O&I&M→C", table.MISSING),
        ("no_meta", "mean of 0 of 2", table.MISSING),
    ]


def test_frames_can_be_asked_for(run, evaluation):
    (row,) = table.rows([run()], unit="frame")
    assert row.hter.startswith(f"{100 * evaluation['figures']['frame']['HTER']['value']:.1f}")


def test_markdown(run):
    lines = table.markdown(table.rows([run(method="a|b")])).splitlines()
    assert lines[0] == f"| {' | '.join(table.COLUMNS)} |"
    assert lines[2].startswith("| O&C&I→M | a&#124;b | 1 | 20.0 [10.0, 30.0] |")
    assert lines[2].count(" | ") == len(table.COLUMNS) - 1


def test_terminal_shows_brackets_and_fits_80_columns(run):
    from rich.console import Console

    sink = io.StringIO()
    rows = table.rows([run(method="first_order", seed=s) for s in (0, 1)])
    Console(file=sink, width=80).print(table.rich_table(rows))
    assert "[10.0, 30.0]" in sink.getvalue()
    assert "20.0 ± 0.0" in sink.getvalue()


def test_page_has_our_rows_and_the_published_ones_told_apart(run):
    html = leave_one_out.page([Judged(run(method="<b>x</b>"), None)])
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "<b>x" not in html
    assert "[10.0, 30.0]" in html
    assert published.LABEL in html
    assert "not comparable with generated domains" in html
    for cells in published.HTER_AUC.values():
        assert len(cells) == len(published.SPLITS)
        assert all(f">{cell}<" in html for cell in cells)
