"""The contact sheet shows every domain and class."""

from __future__ import annotations

import cv2
import numpy as np

from rfmeta_dist.synth.scale import SCALES
from rfmeta_dist.synth.sheet import contact_sheet


def test_a_sheet_has_a_row_a_domain_and_all_classes():
    sheet = contact_sheet(["O", "I"], SCALES["tiny"], 0)
    picture = cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (2 * 68, 6 * (64 + 32 + 4), 3)
    assert sheet == contact_sheet(["O", "I"], SCALES["tiny"], 0)
