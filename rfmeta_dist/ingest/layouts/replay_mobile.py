"""Replay-Mobile: `{train,devel,test}/{real,attack}/….mov`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.layout import counts
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording, parts

_SPLITS: dict[str, Split] = {"train": "train", "devel": "validation", "test": "test"}
_CLIENTS = {
    "train": (1, 3, 8, 11, 12, 16, 18, 20, 26, 34, 37, 38),
    "devel": (5, 6, 13, 14, 15, 23, 24, 25, 28, 29, 31, 32, 35, 36, 39, 40),
    "test": (2, 4, 7, 9, 10, 17, 19, 21, 22, 27, 30, 33),
}
_ATTACKED_ONLY = 9  # this client enrolled and was attacked, but never came back for the live session
_PROTOCOLS = ("grandtest", "print", "mattescreen")
_DEVICES = ("mobile", "tablet")
_LIGHTS = ("adverse", "controlled", "diffuse", "direct", "lateral")
# Printed photos are fixed or held by hand. The screen is fixed and shows photos or videos.
_SHOWN = (
    "print_fixed_{}_photo",
    "print_hand_{}_photo",
    "mattescreen_fixed_{}_photo",
    "mattescreen_fixed_{}_video",
)
_NAME = re.compile(
    r"(?P<set>train|devel|test)/(?:"
    r"real/(?P<live>client(?P<c1>\d{3})_session(?P<s1>\d\d)_authenticate_(?P<d1>mobile|tablet)_(?P<light>[a-z]+))"
    r"|attack/(?P<attack>attack_client(?P<c2>\d{3})_session(?P<s2>\d\d)_"
    r"(?P<how>print_fixed|print_hand|mattescreen_fixed)_(?P<d2>mobile|tablet)_"
    r"(?P<what>(?:photo|video)_light(?:on|off)))"
    r")\.mov"
)


def _read(path: str, domain: str) -> Recording | None:
    match = _NAME.fullmatch(path)
    if not match:
        return None
    part, client = match["set"], int(match["c1"] or match["c2"])
    if client not in _CLIENTS[part] or (match["live"] and match["light"] not in _LIGHTS):
        return None
    how = match["how"] or ""
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{client}",
        video=f"{domain}-{match['live'] or match['attack']}",
        split=_SPLITS[part],
        official=_SPLITS[part],
        label=int(not how),
        attack_type=("print" if how.startswith("print") else "replay") if how else LIVE,
        device=match["d1"] or match["d2"],
        session=str(int(match["s1"] or match["s2"])),
        condition=match["light"] or f"{how}_{match['what']}",
        about=_told(match),
        # Live clips are in all protocols; an attack is in that of its instrument and in `grandtest`.
        protocols=parts(("grandtest", how.partition("_")[0]) if how else _PROTOCOLS, _SPLITS[part]),
    )


def _told(match: re.Match[str]) -> dict[str, str]:
    """Return the light and, of an attack, its medium and support."""
    if match["live"]:
        return {"light": match["light"]}
    (medium, support), (shown, light) = match["how"].split("_"), match["what"].split("_")
    return {"light": light, "medium": f"{medium}-{shown}", "support": support}


def _names() -> Iterator[str]:
    for part, clients in _CLIENTS.items():
        for client, device in product(clients, _DEVICES):
            person = f"client{client:03}"
            if client != _ATTACKED_ONLY:
                for light in _LIGHTS:
                    yield f"{part}/real/{person}_session02_authenticate_{device}_{light}.mov"
            for shown, light in product(_SHOWN, ("lighton", "lightoff")):
                yield f"{part}/attack/attack_{person}_session01_{shown.format(device)}_{light}.mov"


REPLAY_MOBILE = NamedLayout(
    name="replay_mobile",
    domain="R",
    about="Replay-Mobile (Idiap): 40 people, a phone and a tablet, prints and a matte screen",
    expected=counts(train=(120, 192), validation=(160, 256), test=(110, 192)),
    folders=("train", "devel", "test"),
    read=_read,
    names=_names,
    aside=re.compile(r"(^|/)(enroll|faceloc)/"),
)
