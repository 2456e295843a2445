"""Make the data sets as trees of empty files at their published size, as their documentation describes them.

Written apart from the layouts they test: what both agree on is what the documentation says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

OULU_PARTS = {"Train": range(1, 21), "Dev": range(21, 36), "Test": range(36, 56)}
MSU_CLIENTS = (
    1,
    2,
    3,
    5,
    6,
    7,
    8,
    9,
    11,
    12,
    13,
    14,
    21,
    22,
    23,
    24,
    26,
    28,
    29,
    30,
    32,
    33,
    34,
    35,
    36,
    37,
    39,
)
MSU_CLIENTS += (42, 48, 49, 50, 51, 53, 54, 55)
REPLAY_CLIENTS = {
    "train": "001 002 004 006 007 008 012 016 018 025 027 103 105 108 110",
    "devel": "003 005 010 015 017 022 029 030 101 111 113 114 116 118 119",
    "test": "009 011 013 014 019 020 021 023 024 026 028 031 102 104 106 107 109 112 115 117",
}
MOBILE_CLIENTS = {
    "train": "001 003 008 011 012 016 018 020 026 034 037 038",
    "devel": "005 006 013 014 015 023 024 025 028 029 031 032 035 036 039 040",
    "test": "002 004 007 009 010 017 019 021 022 027 030 033",
}
SIW_VALIDATION = (3, 6, 7, 11, 14, 16, 17, 22, 28, 30)
CELEBA_PEOPLE = {"train": range(1, 41), "test": range(41, 51)}


def build(root: Path, name: str) -> Path:
    """Make the tree of a layout below `root`, and return the folder to survey."""
    for path in TREES[name]():
        touch(root / path)
    if name == "oulu_npu":
        _write_oulu_lists(root)
    if name == "celeba_spoof":
        _write_celeba_lists(root)
    if name == "folder":
        _write_table(root)
    return root


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def oulu() -> Iterator[str]:
    yield "readme.txt"
    for part, users in OULU_PARTS.items():
        for user in users:
            for phone in range(1, 7):
                for session in range(1, 4):
                    for kind in range(1, 6):
                        yield f"{part}_files/{phone}_{session}_{user:02}_{kind}.avi"
                        yield f"{part}_files/{phone}_{session}_{user:02}_{kind}.txt"


def oulu_protocol(protocol: int, part: str, fold: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (phone, session, user, type) of each video in one list."""
    test = part == "Test"
    sessions = [1, 2, 3]
    if protocol in (1, 4):
        sessions = [3] if test else [1, 2]
    kinds = [1, 2, 3, 4, 5]
    if protocol in (2, 4):
        kinds = [1, 3, 5] if test else [1, 2, 4]
    phones = list(range(1, 7))
    if protocol in (3, 4):
        phones = [fold] if test else [phone for phone in phones if phone != fold]
    for user in OULU_PARTS[part]:
        for phone in phones:
            for session in sessions:
                for kind in kinds:
                    yield phone, session, user, kind


def _write_oulu_lists(root: Path) -> None:
    for protocol in range(1, 5):
        for part in OULU_PARTS:
            for fold in range(1, 7) if protocol > 2 else [0]:
                ending = f"_{fold}" if fold else ""
                rows = [
                    f"{'+1' if kind == 1 else '-1'},{phone}_{session}_{user:02}_{kind}"
                    for phone, session, user, kind in oulu_protocol(protocol, part, fold)
                ]
                write(root / f"Protocols/Protocol_{protocol}/{part}{ending}.txt", "\n".join(rows) + "\n")


def casia() -> Iterator[str]:
    for release, people in (("train_release", 20), ("test_release", 30)):
        for person in range(1, people + 1):
            for name in (*"12345678", "HR_1", "HR_2", "HR_3", "HR_4"):
                yield f"{release}/{person}/{name}.avi"


def replay() -> Iterator[str]:
    yield "protocols/readme.txt"
    for part, clients in REPLAY_CLIENTS.items():
        for client in clients.split():
            for light in ("controlled", "adverse"):
                yield f"enroll/{part}/client{client}_session01_webcam_enroll_{light}.mov"
                for take in "12":
                    yield f"{part}/real/client{client}_session01_webcam_authenticate_{light}_{take}.mov"
                for support in ("fixed", "hand"):
                    attacks = f"{part}/attack/{support}/attack_"
                    yield f"{attacks}print_client{client}_session01_highdef_photo_{light}.mov"
                    for device in ("highdef", "mobile"):
                        for kind in ("photo", "video"):
                            yield f"{attacks}{device}_client{client}_session01_{device}_{kind}_{light}.mov"


def replay_archives() -> Iterator[str]:
    """The same, unpacked archive by archive, without the enrolment clips."""
    for path in replay():
        part = path.split("/")[0]
        if part in REPLAY_CLIENTS:
            yield f"replayattack-{part}/{path}"


def msu() -> Iterator[str]:
    yield "train_sub_list.txt"
    yield "ffmpeg/bin/ffmpeg.exe"
    for client in MSU_CLIENTS:
        for camera, ending in (("android", "mp4"), ("laptop", "mov")):
            person = f"client{client:03}_{camera}_SD"
            clips = [f"real/real_{person}"]
            clips += [
                f"attack/attack_{person}_{how}" for how in ("ipad_video", "iphone_video", "printed_photo")
            ]
            for clip in clips:
                yield f"scene01/{clip}_scene01.{ending}"
                yield f"scene01/{clip}_scene01.face"


def mobile() -> Iterator[str]:
    for part, clients in MOBILE_CLIENTS.items():
        for client in clients.split():
            for device in ("mobile", "tablet"):
                for light in ("lighton", "lightoff"):
                    yield f"enroll/{part}/client{client}_session01_enroll_{device}_{light}.mov"
                    for shown in ("print_fixed", "print_hand", "mattescreen_fixed"):
                        for kind in ("photo", "video") if shown == "mattescreen_fixed" else ("photo",):
                            attack = f"attack_client{client}_session01_{shown}_{device}_{kind}_{light}.mov"
                            yield f"{part}/attack/{attack}"
                for light in ("controlled", "adverse", "direct", "lateral", "diffuse"):
                    if client != "009":
                        yield f"{part}/real/client{client}_session02_authenticate_{device}_{light}.mov"


# Clips of each kind by part, as the official lists have them: live, prints, replays on each of four media.
SIW_CLIPS = {
    "train": (636, 301, 320, 320, 318, 245),
    "validation": (78, 38, 40, 40, 40, 40),
    "test": (599, 314, 300, 296, 294, 250),
}


def siw() -> Iterator[str]:
    """Eight live and 21 attack clips a person, less as many of each kind as the official lists lack."""
    training = list(range(32, 112))
    people = {"train": training, "validation": SIW_VALIDATION}
    people["test"] = [person for person in range(1, 166) if person not in (*training, *SIW_VALIDATION)]
    for part, clips in SIW_CLIPS.items():
        for kind, count in zip(("live", "print", "1", "2", "3", "4"), clips, strict=True):
            folder = "Test" if part == "test" else "Train"
            yield from islice(_siw_clips(folder, kind, people[part]), count)


def _siw_clips(part: str, kind: str, people: Sequence[int]) -> Iterator[str]:
    if kind == "live":
        clips = [f"{sensor}-1-{medium}-{session}" for sensor in "12" for medium in "12" for session in "12"]
    elif kind == "print":
        clips = [f"1-2-{medium}-{session}" for medium in "12" for session in "12"] + ["2-2-2-1"]
    else:
        clips = [f"{sensor}-3-{kind}-{session}" for sensor in "12" for session in "12"]
    for clip in clips:  # clip by clip, so that those left out are of many people
        for person in people:
            odd = ".m" if person in (153, 154, 158, 161) and clip.startswith("2-1") else ""
            yield f"{part}/{'live' if kind == 'live' else 'spoof'}/{person:03}/{person:03}-{clip}{odd}.mov"


def celeba() -> Iterator[str]:
    """A small one: three live and ten attack images a person, one of each kind."""
    for path in _celeba_described():
        yield path
        yield path.rsplit(".", 1)[0] + "_BB.txt"


def _celeba_described() -> dict[str, list[int]]:
    described = {}
    for part, people in CELEBA_PEOPLE.items():
        for person in people:
            for number in range(13):
                kind = max(0, number - 2)
                folder, ending = ("spoof", "png") if kind else ("live", "jpg")
                description = [0] * 40 + ([kind, 1 + number % 4, 1 + number % 2, 1] if kind else [0, 0, 0, 0])
                described[f"Data/{part}/{person}/{folder}/{number:06}.{ending}"] = description
    return described


def _write_celeba_lists(root: Path) -> None:
    described = _celeba_described()
    for part in CELEBA_PEOPLE:
        rows = {path: row for path, row in described.items() if path.startswith(f"Data/{part}/")}
        write(root / f"metas/intra_test/{part}_label.json", json.dumps(rows))


def folder() -> Iterator[str]:
    """Two live and one printed clip of forty people."""
    for person in range(40):
        yield from (f"clips/p{person}/{name}.mp4" for name in ("live-1", "live-2", "print"))


def _write_table(root: Path) -> None:
    rows = ["path,label,attack_type,subject"]
    for path in folder():
        attack = path.endswith("print.mp4")
        rows.append(f"{path},{'attack,print' if attack else 'live,'},{path.split('/')[1]}")
    write(root / "labels.csv", "\n".join(rows) + "\n")


TREES = {
    "oulu_npu": oulu,
    "casia_fasd": casia,
    "replay_attack": replay,
    "msu_mfsd": msu,
    "replay_mobile": mobile,
    "siw": siw,
    "celeba_spoof": celeba,
    "folder": folder,
}
