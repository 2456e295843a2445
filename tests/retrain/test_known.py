"""A set of samples survives storage, and tells new samples from known ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.retrain.known import NOTHING, Known
from tests.retrain.worlds import publish, samples_of


@settings(max_examples=8)
@given(st.integers(0, 35), st.integers(0, 35))
def test_exactly_the_samples_that_were_added_are_new(
    tmp_path_factory: pytest.TempPathFactory, left_out: int, retaken: int
) -> None:
    place = tmp_path_factory.mktemp("known")
    whole = samples_of("A")
    before = publish(place, "A", [s for n, s in enumerate(whole) if n != left_out])
    known = Known.parse(Known.of([before]).to_bytes(), "x")
    new_one = replace(whole[retaken], image=samples_of("A", 1)[retaken].image)
    after = publish(place, "A", [new_one if n == retaken else s for n, s in enumerate(whole)])
    new = [
        key for key, is_new in zip(after.samples["key"].to_pylist(), known.new_in(after), strict=True) if is_new
    ]
    assert set(new) == {whole[left_out].key, whole[retaken].key}
    assert not known.covers(Known.of([after]))
    assert Known.of([before, after]).covers(known)
    assert known.covers(NOTHING)


def test_equal_sets_have_equal_digests_and_a_cut_file_is_noticed(tmp_path: Path) -> None:
    one = Known.of([publish(tmp_path / "1", "A")])
    other = Known.of([publish(tmp_path / "2", "A", samples_of("A")[::-1])])
    assert one.digest == other.digest
    with pytest.raises(RunError, match="was cut off"):
        Known.parse(one.to_bytes()[:-1], "samples.bin")
