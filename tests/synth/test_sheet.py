"""The contact sheet shows every domain and every type of attack, where it has one."""

from __future__ import annotations

import cv2
import numpy as np

from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import plan
from rfmeta_dist.synth.output.sheet import GAP, LINE, SIDE, contact_sheet


def decoded(sheet: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)


def test_a_sheet_has_a_row_a_domain_and_two_columns_a_type():
    plans = {
        "O": plan("O", SCALES["tiny"], 0, None),
        "I": [v for v in plan("I", SCALES["tiny"], 0, None) if v.attack_type != "replay"],
    }
    picture = decoded(contact_sheet(plans))
    cell, rows = SIDE + GAP, [LINE + GAP + LINE, LINE + GAP + 2 * LINE + SIDE + GAP]
    assert picture.shape == (rows[1] + cell + GAP, 6 * cell + GAP, 3)
    cells = [
        [picture[top : top + SIDE, GAP + column * cell : GAP + column * cell + SIDE] for column in range(6)]
        for top in rows
    ]
    shown = [[part.std() > 5 for part in row] for row in cells]
    assert shown == [[True] * 6, [True] * 4 + [False] * 2]  # I was planned without replays
    # A live face has a depth map in its corner, an attack a black one.
    nearest = [part[-48:-16, -48:-16].max() for part in cells[0]]
    assert [value > 200 for value in nearest] == [True] * 2 + [False] * 4
    assert max(nearest[2:]) == 0
