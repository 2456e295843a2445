"""Draw a contact sheet: faces of each domain, live and in each type of attack, with the depth labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import cv2
import numpy as np

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.synth.domains.domain import Attack
from rfmeta_dist.synth.filming.recording import Video
from rfmeta_dist.synth.imaging.codec import Pixels, decode_jpeg
from rfmeta_dist.synth.output.generate import render

SIDE = 256  # of a crop on the sheet in pixels, at every scale, so that people can see details
INSET = 64
PEOPLE = 2
GAP = 4
LINE = 30  # height of a line of text
PAPER, INK = 24, "0.9"


def contact_sheet(plans: Mapping[str, Sequence[Video]]) -> bytes:
    """Return a contact sheet as PNG bytes.

    Each row is a domain. It shows the same two people live and in each type of attack, with the depth label in
    the corner of each crop.

    Args:
        plans: the recordings of each domain, from `plan`.
    """
    types = {video.attack_type for videos in plans.values() for video in videos}
    columns = [name for name in (LIVE, *get_args(Attack)) if name in types]
    wide = (SIDE + GAP) * PEOPLE
    rows = [np.hstack([_text(name, wide, centred=True) for name in columns])]
    for name, videos in plans.items():
        rows.append(_text(f"{name}: {videos[0].card.title}", wide * len(columns)))
        rows.append(np.hstack([_examples(videos, attack_type) for attack_type in columns]))
    sheet = np.pad(np.vstack(rows), ((GAP, GAP), (GAP, 0), (0, 0)), constant_values=PAPER)
    return bytes(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1])


def _examples(videos: Sequence[Video], attack_type: str) -> Pixels:
    """Return crops of one type of recording, of the same people for every type; blank where there are none."""
    people = list(dict.fromkeys(video.subject for video in videos))
    chosen = people[:: max(1, len(people) // PEOPLE)][:PEOPLE]
    cells = [
        next((_cell(v) for v in videos if (v.subject, v.attack_type) == (person, attack_type)), _blank())
        for person in chosen
    ]
    return np.hstack([*cells, *[_blank()] * (PEOPLE - len(cells))])


def _cell(video: Video) -> Pixels:
    """Return a crop with its depth map in the corner and a gap to the right and below."""
    sample = render(replace(video, size=SIDE, frames=1))[0]
    picture = decode_jpeg(sample.image).copy()
    depth = cv2.imdecode(np.frombuffer(sample.depth, np.uint8), cv2.IMREAD_GRAYSCALE)
    inset = cv2.resize(depth, (INSET, INSET), interpolation=cv2.INTER_NEAREST)
    framed = cv2.copyMakeBorder(inset, 1, 0, 1, 0, cv2.BORDER_CONSTANT, value=255)
    picture[-INSET - 1 :, -INSET - 1 :] = framed[..., None]
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=PAPER)


def _blank() -> Pixels:
    return np.full((SIDE + GAP, SIDE + GAP, 3), PAPER, np.uint8)


def _text(line: str, width: int, *, centred: bool = False) -> Pixels:
    """Return a line of text as a picture, LINE×width×3."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, LINE / 100), dpi=100, facecolor=str(PAPER / 255))
    place, side = (0.5, "center") if centred else (GAP / width, "left")
    figure.text(place, 0.5, line, color=INK, size=12, va="center", ha=side)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
