"""`rfmeta explain` writes its page and numbers, and refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

from rfmeta_dist.core.errors import RunError
from tests.explained import configured, judged, publish


def test_a_run_is_explained_beside_another(rfmeta, tmp_path: Path):
    prefix = publish(tmp_path / "shards")
    run, other = (
        judged(configured(tmp_path, prefix, name), seed) for seed, name in enumerate(("one", "other"))
    )
    ending = rfmeta("explain", run.url, "--beside", other.url, "--json")
    assert ending.code == 0, ending.err
    told = json.loads(ending.out)
    assert told["target"] == "D"
    assert set(told["types"]) == {"live", "print"}
    assert [len(kind["wrong"]) for kind in told["types"].values()] == [2, 2]
    assert run.read("explanation.html").startswith(b"<!doctype html>")
    numbers = json.loads(run.read("explanation.json"))
    assert [side["name"] for side in numbers["runs"]] == ["one", "other"]
    assert not other.exists("explanation.html")


def test_what_cannot_be_explained_is_refused_in_one_line(rfmeta, tmp_path: Path):
    prefix = publish(tmp_path / "shards")
    folder = judged(configured(tmp_path, prefix), judge_it=False)
    for arguments, words in (
        (
            (folder.url,),
            f"has not been judged, so its mistakes on its target are not known; judge it first: "
            f"rfmeta evaluate {folder.url}",
        ),
        ((tmp_path / "nothing",), "there is no run at"),
    ):
        ending = rfmeta("explain", *arguments)
        assert ending.code == RunError.exit_code
        assert words in ending.error
    assert not folder.exists("explanation.html")
    untargeted = configured(tmp_path, prefix, "all", target=None)
    ending = rfmeta("explain", judged(untargeted, judge_it=False).url)
    assert ending.code == RunError.exit_code
    assert "has no target (data.target)" in ending.error
