"""CASIA-FASD (MFSD): `{train,test}_release/{person}/{name}.avi`, twelve names a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.layout import counts
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording

_TRAINING, _TESTING = 20, 30  # number of people
# The data set has no validation part. The last five of its training people are used, as in other work.
_VALIDATION = range(16, 21)
_KINDS = {LIVE: ("1", "2", "HR_1"), "warped": ("3", "4", "HR_2"), "cut": ("5", "6", "HR_3")}
_KINDS |= {"replay": ("7", "8", "HR_4")}
_VIDEOS = {
    name: (kind, quality)
    for kind, names in _KINDS.items()
    for name, quality in zip(names, ("normal", "low", "high"), strict=True)
}
_NAME = re.compile(r"(train|test)_release/([1-9]\d?)/([1-8]|HR_[1-4])\.avi")


def _read(path: str, domain: str) -> Recording | None:
    match = _NAME.fullmatch(path)
    if not match:
        return None
    release, number, name = match[1], int(match[2]), match[3]
    if number > (_TRAINING if release == "train" else _TESTING):
        return None
    # Both releases count their people from 1, but they are different people.
    person = number if release == "train" else number + _TRAINING
    official: Split = "train" if release == "train" else "test"
    attack_type, quality = _VIDEOS[name]
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{person}",
        video=f"{domain}-{person}-{name}",
        split="validation" if person in _VALIDATION else official,
        official=official,
        label=int(attack_type == LIVE),
        attack_type=attack_type,
        condition=quality,
        about={"quality": quality},
    )


def _names() -> Iterator[str]:
    for release, people in (("train", _TRAINING), ("test", _TESTING)):
        for person, name in product(range(1, people + 1), _VIDEOS):
            yield f"{release}_release/{person}/{name}.avi"


CASIA_FASD = NamedLayout(
    name="casia_fasd",
    domain="C",
    about="CASIA-FASD (MFSD): 50 people, 3 camera qualities, warped and cut prints, replays",
    expected=counts(train=(60, 180), test=(90, 270)),
    folders=("train_release", "test_release"),
    read=_read,
    names=_names,
)
