"""What the networks see is a field that a configuration sets once, and that costs the others nothing."""

from __future__ import annotations

from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.runs.fingerprint import fingerprint

DATA = {"A": "1", "B": "2"}


def config(**data: Any) -> Config:
    whole = {"prefix": "x", "sources": ["A", "B"], "target": "D", **data}
    return check({"run": {"name": "r"}, "data": whole}, "test")


def test_a_patch_has_64_pixels_unless_it_is_said_otherwise():
    assert (config().data.image_size, config().data.patches) == (256, None)
    seen = config(view="patches").data
    assert (seen.image_size, seen.patches) == (64, Patches(grid=3))
    seen = config(view="patches", image_size=96, patch_grid=5).data
    assert (seen.image_size, seen.patches) == (96, Patches(grid=5))
    again = check(config(view="patches").model_dump(mode="json"), "test")
    assert again == config(view="patches")


def test_the_view_decides_the_weights_and_its_default_is_no_part_of_the_fingerprint():
    faces, patches = config(image_size=64), config(view="patches", image_size=64)
    assert fingerprint(faces, DATA) == fingerprint(config(image_size=64, view="face", patch_grid=3), DATA)
    assert fingerprint(faces, DATA) != fingerprint(patches, DATA)
    assert fingerprint(patches, DATA) == fingerprint(config(view="patches"), DATA)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"view": "eyes"}, 'data.view="eyes"'),
        ({"view": "patches", "patch_grid": 0}, "data.patch_grid=0"),
        ({"view": "patches", "patch_grid": 9}, "data.patch_grid=9"),
        ({"view": "patches", "image_size": 40}, "data.image_size=40"),
        ({"patch_grid": 5}, "patch_grid=5 has no effect, because data.view is face"),
    ],
)
def test_unfit_views_are_refused_by_name(data, words):
    with pytest.raises(ConfigError) as caught:
        config(**data)
    assert words in str(caught.value)
