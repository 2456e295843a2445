"""Write what real data sets ship beside their videos: face annotations and lists, in each set's format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from rfmeta_dist.synth.domains.domain import LayoutName
from rfmeta_dist.synth.optics.framing import Face


class Annotation(NamedTuple):
    """The format of a data set's face annotations.

    Attributes:
        path: returns the path of the annotation of a clip, from the path of the clip.
        line: returns the annotation's line for a frame, from the frame's number and its face in pixels.
    """

    path: Callable[[str], str]
    line: Callable[[int, Face], str]


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def _eyes(frame: int, face: Face) -> str:
    """Return `frame,x_right,y_right,x_left,y_left`. A person's right eye is on the left of the picture."""
    return ",".join(str(n) for n in (frame, *(round(c) for eye in face.eyes for c in eye)))


def _sized(frame: int, face: Face) -> str:
    """Return `frame x y w h`."""
    sides = (face.left, face.top, face.right - face.left, face.bottom - face.top)
    return " ".join(str(n) for n in (frame, *map(round, sides)))


def _cornered(frame: int, face: Face) -> str:
    """Return `frame,left,top,right,bottom` and then both eyes, the person's left eye first."""
    (right, left), corners = face.eyes, (face.left, face.top, face.right, face.bottom)
    return ",".join(str(n) for n in (frame, *map(round, (*corners, *left, *right))))


ANNOTATIONS: Mapping[LayoutName, Annotation] = MappingProxyType(
    {
        "oulu_npu": Annotation(lambda path: f"{_stem(path)}.txt", _eyes),
        "replay_attack": Annotation(lambda path: f"face-locations/{_stem(path)}.face", _sized),
        "msu_mfsd": Annotation(lambda path: f"{_stem(path)}.face", _cornered),
    }
)


def annotation(layout: LayoutName, path: str, faces: Sequence[Face]) -> tuple[str, str] | None:
    """Return the path and the text of a clip's face annotation.

    Args:
        layout: the data set whose format is written.
        path: path of the clip below its data set's folder.
        faces: the face in each frame, in pixels.

    Returns:
        None if the data set ships no annotations.
    """
    style = ANNOTATIONS.get(layout)
    if style is None:
        return None
    return style.path(path), "".join(f"{style.line(n, face)}\n" for n, face in enumerate(faces))


def lists(layout: LayoutName, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each list that the data set ships with clips of these paths."""
    if layout == "oulu_npu":
        yield from _protocols(sorted(paths))
    elif layout == "msu_mfsd":
        people = sorted({int(match[1]) for path in paths if (match := re.search(r"client(\d+)", path))})
        for name, training in (("train", True), ("test", False)):
            chosen = [person for person in people if (person in MSU_TRAINING) == training]
            yield f"{name}_sub_list.txt", "".join(f"{person:02}\n" for person in chosen)


MSU_TRAINING = {2, 3, 5, 6, 7, 8, 9, 11, 12, 21, 22, 34, 53, 54, 55}
_OULU = re.compile(r"(Train|Dev|Test)_files/((\d)_(\d)_\d\d_(\d))\.avi")


def _protocols(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield OULU-NPU's protocols: unseen session, unseen instruments, unseen phone, all of these at once."""
    clips = [match.groups() for path in paths if (match := _OULU.fullmatch(path))]
    for part in ("Train", "Dev", "Test"):
        here = [clip[1:] for clip in clips if clip[0] == part]
        yield f"Protocols/Protocol_1/{part}.txt", _rows(here, part, session=True)
        yield f"Protocols/Protocol_2/{part}.txt", _rows(here, part, instruments=True)
        for phone in "123456":
            place = f"{part}_{phone}.txt"
            yield f"Protocols/Protocol_3/{place}", _rows(here, part, phone=phone)
            row = _rows(here, part, session=True, instruments=True, phone=phone)
            yield f"Protocols/Protocol_4/{place}", row


def _rows(
    clips: Sequence[tuple[str, ...]],
    part: str,
    *,
    session: bool = False,
    instruments: bool = False,
    phone: str = "",
) -> str:
    """Return lines `sign,name` of the clips in a list. The arguments say what is new in the test part."""
    test, rows = part == "Test", []
    for name, camera, occasion, kind in clips:
        if session and (occasion == "3") != test:
            continue
        if instruments and kind not in ("135" if test else "124"):
            continue
        if phone and (camera == phone) != test:
            continue
        rows.append(f"{'+1' if kind == '1' else '-1'},{name}\n")
    return "".join(rows)
