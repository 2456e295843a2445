"""MSU-MFSD: `scene01/{real,attack}/….{mp4,mov}`; the phone writes mp4, the laptop mov."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import PurePosixPath

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.boxes import cornered
from rfmeta_dist.ingest.layouts.layout import counts
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording

_TRAINING = (2, 3, 5, 6, 7, 8, 9, 11, 12, 21, 22, 34, 53, 54, 55)
_TESTING = (1, 13, 14, 23, 24, 26, 28, 29, 30, 32, 33, 35, 36, 37, 39, 42, 48, 49, 50, 51)
# The data set has no validation part. The last three of its training people are used.
_VALIDATION = _TRAINING[-3:]
_UPSIDE_DOWN = (3, 5, 6, 7, 8, 9)  # people whose live clips from the phone are stored upside down
_ENDINGS = {"android": "mp4", "laptop": "mov"}
_INSTRUMENTS = {"ipad_video": "replay", "iphone_video": "replay", "printed_photo": "print"}
_NAME = re.compile(
    r"scene01/(?:real/(?P<real>real)|attack/attack)_client(?P<client>\d{3})_(?P<camera>android|laptop)_SD"
    r"(?(real)|_(?P<instrument>ipad_video|iphone_video|printed_photo))_scene01\.(?P<ending>mp4|mov)"
)


def _read(path: str, domain: str) -> Recording | None:
    match = _NAME.fullmatch(path)
    if not match or _ENDINGS[match["camera"]] != match["ending"]:
        return None
    client, camera, instrument = int(match["client"]), match["camera"], match["instrument"]
    if client not in _TRAINING + _TESTING:
        return None
    official: Split = "train" if client in _TRAINING else "test"
    turned = instrument is None and camera == "android" and client in _UPSIDE_DOWN
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{client}",
        video=f"{domain}-{PurePosixPath(path).stem}",
        split="validation" if client in _VALIDATION else official,
        official=official,
        label=int(instrument is None),
        attack_type=_INSTRUMENTS[instrument] if instrument else LIVE,
        device=camera,
        session="1",
        condition=instrument or "",
        about={"medium": instrument or ""},
        rotation=180 if turned else 0,
    )


def _names() -> Iterator[str]:
    for client, (camera, ending) in product(sorted(_TRAINING + _TESTING), _ENDINGS.items()):
        person = f"client{client:03}_{camera}_SD"
        yield f"scene01/real/real_{person}_scene01.{ending}"
        for instrument in _INSTRUMENTS:
            yield f"scene01/attack/attack_{person}_{instrument}_scene01.{ending}"


MSU_MFSD = NamedLayout(
    name="msu_mfsd",
    domain="M",
    about="MSU-MFSD: 35 people, a laptop and an Android phone, prints and replays",
    expected=counts(train=(30, 90), test=(40, 120)),
    folders=("scene01",),
    read=_read,
    names=_names,
    aside=re.compile(r"^ffmpeg/"),
    annotations=lambda path: (path.rsplit(".", 1)[0] + ".face",),
    boxes=cornered,
)
