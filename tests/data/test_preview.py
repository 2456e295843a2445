"""The contact sheet shows the chosen samples with depth and label."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.decode import decode_depth
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.preview import contact_sheet
from rfmeta_dist.storage import open_store
from tests.samples import make_samples


def test_every_kind_has_a_row_with_depth_beside_the_image(tmp_path: Path):
    store = open_store(str(tmp_path))
    manifest = pack(make_samples("A", {"train": (9, 9), "test": (1, 1)}), store, "A", contract={})
    sheet = cv2.imdecode(np.frombuffer(contact_sheet(store, [manifest], 3), np.uint8), cv2.IMREAD_COLOR_RGB)
    rows, columns = sheet.shape[0] // 146, sheet.shape[1] // 260
    assert (rows, columns) == (3, 3)  # live, print, replay
    for row in range(rows):
        for column in range(columns):
            cell = sheet[row * 146 + 14 : row * 146 + 142, column * 260 : column * 260 + 256]
            image, depth = cell[:, :128], cell[:, 128:]
            assert image.std() > 10
            assert (depth.max() > 0) == (row == 0)


def test_a_kind_with_few_samples_shows_them_all(tmp_path: Path):
    store = open_store(str(tmp_path))
    manifest = pack(make_samples("A", {"train": (2, 1)}), store, "A", contract={})
    sheet = cv2.imdecode(np.frombuffer(contact_sheet(store, [manifest], 8), np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape[:2] == (2 * 146, 2 * 260)


def test_many_samples_go_on_in_the_next_row_with_their_depth_as_stored(tmp_path: Path):
    store = open_store(str(tmp_path))
    samples = list(make_samples("A", {"train": (10, 0)}))
    manifest = pack(samples, store, "A", contract={})
    sheet = cv2.imdecode(np.frombuffer(contact_sheet(store, [manifest], 10), np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape[:2] == (2 * 146, 8 * 260)
    for number, sample in enumerate(samples):
        row, column = divmod(number, 8)
        shown = sheet[row * 146 + 14 :, column * 260 + 128 :][:128, :128, 0]
        assert np.array_equal(shown[2::4, 2::4], decode_depth(sample.depth))


def test_an_empty_domain_has_no_sheet(tmp_path: Path):
    store = open_store(str(tmp_path))
    pack(make_samples("A", {"train": (2, 0)}), store, "A", contract={})
    forget(store, "A", "A-train0")
    with pytest.raises(DataError, match="no samples"):
        contact_sheet(store, [Manifest.open(store, "A")], 3)
