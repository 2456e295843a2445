"""Replay-Attack: `{train,devel,test}/{real,attack/{fixed,hand}}/….mov`, also below folders of its archives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.boxes import sized
from rfmeta_dist.ingest.layouts.layout import counts
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording, parts

_SPLITS: dict[str, Split] = {"train": "train", "devel": "validation", "test": "test"}
_CLIENTS = {
    "train": (1, 2, 4, 6, 7, 8, 12, 16, 18, 25, 27, 103, 105, 108, 110),
    "devel": (3, 5, 10, 15, 17, 22, 29, 30, 101, 111, 113, 114, 116, 118, 119),
    "test": (9, 11, 13, 14, 19, 20, 21, 23, 24, 26, 28, 31, 102, 104, 106, 107, 109, 112, 115, 117),
}
_LIGHTS = ("adverse", "controlled")
_SCREENS = ("highdef_photo", "highdef_video", "mobile_photo", "mobile_video")
# If an archive is unpacked into a folder of its own name, the name of the set may or may not be repeated below.
_PLACE = re.compile(
    r"(?:replayattack-(?P<archive>train|devel|test)/)?(?:(?P<set>train|devel|test)/)?(?P<rest>.*)"
)
_REAL = re.compile(r"real/(client(\d{3})_session01_webcam_authenticate_(adverse|controlled)_[12])\.mov")
_ATTACK = re.compile(
    r"attack/(fixed|hand)/(attack_(?:print_client(\d{3})_session01_(highdef_photo)"
    r"|(highdef|mobile)_client(\d{3})_session01_(\5_(?:photo|video)))_(adverse|controlled))\.mov"
)


# An attack is in the protocols of its device and of its medium, a live clip is in all. Each protocol exists for
# the support `fixed`, for the support `hand`, and for both together.
_PROTOCOLS = ("grandtest", "print", "mobile", "highdef", "digitalphoto", "photo", "video")
_SUPPORTS = ("fixed", "hand")


def _placed(path: str) -> tuple[str, str]:
    """Return the set that a path is in, and the path below it. The set is empty if the path is in none."""
    match = _PLACE.fullmatch(path)
    archive, part = (match["archive"], match["set"]) if match else (None, None)
    if not match or (archive and part and archive != part):
        return "", path
    return archive or part or "", match["rest"]


def _read(path: str, domain: str) -> Recording | None:
    part, rest = _placed(path)
    if not part:
        return None
    if match := _REAL.fullmatch(rest):
        stem, client, light = match.groups()
        attack_type, condition, told = LIVE, light, {"light": light}
        protocols = {*_PROTOCOLS, *(f"{name}-{support}" for name, support in product(_PROTOCOLS, _SUPPORTS))}
    elif match := _ATTACK.fullmatch(rest):
        support, stem, printed, _, _, shown, _, light = match.groups()
        client, attack_type = printed or shown, "print" if printed else "replay"
        # Both supports use the same file names, so the support is added to the name.
        stem = f"{support}-{stem}"
        condition = f"{light}-{support}-{match[4] or match[7]}"
        medium = "print" if printed else match[7].replace("_", "-")
        told = {"light": light, "support": support, "medium": medium}
        shows = _shown_in(match[5] or "print", "video" if condition.endswith("video") else "photo")
        protocols = shows | {f"{name}-{support}" for name in shows}
    else:
        return None
    if int(client) not in _CLIENTS[part]:
        return None
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{int(client)}",
        video=f"{domain}-{stem}",
        split=_SPLITS[part],
        official=_SPLITS[part],
        label=int(attack_type == LIVE),
        attack_type=attack_type,
        device="webcam",
        session="1",
        condition=condition,
        about=told,
        protocols=parts(protocols, _SPLITS[part]),
    )


def _shown_in(device: str, medium: str) -> set[str]:
    """Return the protocols of what a device shows: `print`, `mobile` or `highdef`, a photo or a video."""
    digital = {"digitalphoto"} if medium == "photo" and device != "print" else set()
    return {"grandtest", device, medium} | digital


def _names() -> Iterator[str]:
    for part, clients in _CLIENTS.items():
        for client, light in product(clients, _LIGHTS):
            person = f"client{client:03}_session01"
            for take in (1, 2):
                yield f"{part}/real/{person}_webcam_authenticate_{light}_{take}.mov"
            for support in _SUPPORTS:
                folder = f"{part}/attack/{support}"
                yield f"{folder}/attack_print_{person}_highdef_photo_{light}.mov"
                for screen in _SCREENS:
                    yield f"{folder}/attack_{screen.split('_')[0]}_{person}_{screen}_{light}.mov"


def _annotations(path: str) -> tuple[str, ...]:
    part, rest = _placed(path)
    name = rest.removesuffix(".mov") + ".face"
    archive = f"replayattack-{part}/face-locations"
    return f"face-locations/{part}/{name}", f"{archive}/{part}/{name}", f"{archive}/{name}"


REPLAY_ATTACK = NamedLayout(
    name="replay_attack",
    domain="I",
    about="Replay-Attack (Idiap): 50 people, one webcam, two lights, prints and screens, fixed or in the hand",
    expected=counts(train=(60, 300), validation=(60, 300), test=(80, 400)),
    folders=("train", "devel", "test"),
    read=_read,
    names=_names,
    aside=re.compile(r"(^|/)enroll/"),
    annotations=_annotations,
    boxes=sized,
)
