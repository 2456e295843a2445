"""The page of a study shows how good its choices are, as long as they are the ones that were compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rfmeta_dist.report import study as page
from rfmeta_dist.report import study_plots
from rfmeta_dist.tuning.standing import stand
from rfmeta_dist.tuning.study import look
from tests.stored import SHARDS
from tests.tuning.comparisons import compared, searched

HEADING = "How good the choices are on their targets"
WARNING = "The labels of M had been looked at</strong>"


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the plots, which take seconds."""
    for kind in ("history", "rungs", "parallel", "importance"):
        monkeypatch.setattr(study_plots, kind, lambda *_: "")


def rendered(folder: str) -> str:
    return page.render(stand(look(folder)))


def test_the_page_has_what_was_compared_until_another_choice_is_made(tmp_path: Path):
    faces = Path(shutil.copytree(SHARDS, tmp_path / "faces"))
    folder = searched(faces, targets=["M"])
    assert HEADING not in rendered(folder)
    compared(folder)
    html = rendered(folder)
    assert HEADING in html
    assert "−30.0 <small>± 0.0" in html  # the base has 40 %, the choice 10 %
    assert WARNING not in html  # the choice was made before
    searched(faces, targets=["M"], search={"candidates": 5})
    html = rendered(folder)
    assert HEADING not in html
    assert WARNING in html
    compared(folder)
    html = rendered(folder)
    assert HEADING in html
    assert WARNING in html
