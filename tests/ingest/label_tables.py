"""Make a folder with a few files and the label table that a test gives."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.ingest.recording import Recording
from tests.ingest.layout_trees import touch, write

FOLDER = LAYOUTS["folder"]
HEADER = "path,label,attack_type,subject,video,split,depth\n"


def table(root: Path, *rows: str, header: str = HEADER) -> Survey:
    for name in ("a.mp4", "b/c.mp4", "i1.jpg", "i2.jpg", "d.png"):
        touch(root / name)
    write(root / "labels.csv", header + "\n".join(rows) + "\n")
    return FOLDER.survey(root, "mine")


def one(root: Path, row: str, **options: str) -> Recording:
    (recording,) = table(root, row, **options).recordings
    return recording
