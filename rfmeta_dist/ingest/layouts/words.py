"""Map the words that people write for labels, splits and attack types to those of this package."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.recording import ATTACK_TYPES

_LONGEST = 32  # largest number of characters of an attack type
# What pandas, R, Excel and databases write into an empty cell, and what people write if they have no value.
_BLANK = frozenset(
    (
        *("", "nan", "-nan", "na", "n/a", "n.a.", "n.a", "nat", "<na>", "<nan>", "#na", "#n/a", "#n/a n/a"),
        *("none", "<none>", "(none)", "null", "<null>", "(null)", "#null!", "nil", "undefined", r"\n"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "#value!", "#ref!", "#name?", "#num!", "#div/0!"),
        *("unknown", "missing", "blank", "(blank)", "empty", "(empty)", "?", ".", "..."),
    )
)
_DASHES = re.compile(r"[-\u2010-\u2015\u2212\s]+")
_EDGES = re.compile(r"^[\s\u200b-\u200f\u2060\ufeff]+|[\s\u200b-\u200f\u2060\ufeff]+$")

LABELS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("live", "real", "bonafide", "genuine", "1"), 1)
    | dict.fromkeys(("attack", "spoof", "fake", "0"), 0)
)
_SPLIT_WORDS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "development", "devel", "dev"),
    "test": ("test", "testing"),
}
SPLITS: Mapping[str, Split] = MappingProxyType(
    {word: split for split, words in _SPLIT_WORDS.items() for word in words}
)
_ATTACKS = {
    "print": ("printed", "print_attack", "printed_photo", "print_photo", "photo_print", "paper"),
    "warped": ("warped_photo", "warped_print", "bent_print"),
    "cut": ("cut_photo", "cut_print", "eye_cut", "eyes_cut"),
    "replay": ("replay_attack", "video_replay", "replay_video", "screen", "screen_replay", "display", "video"),
    "paper_mask": ("papermask", "cut_out_mask"),
    "mask": ("3d_mask", "mask_3d", "mask3d", "3dmask"),
    "makeup": ("make_up",),
    "partial": ("partial_attack",),
    "other": ("attack", "spoof", "fake", "unknown"),
}
_OURS = {word: ours for ours, words in _ATTACKS.items() for word in (ours, *words)}


def plain(word: str) -> str:
    """Return the normal form of a word: lower case, no separators: `Bona-Fide` → `bonafide`, `1.0` → `1`."""
    number = re.fullmatch(r"(\d+)\.0+", word)
    # Remove separators only between letters, so that -1, which some people write for attacks, keeps its minus.
    return number[1] if number else re.sub(r"(?<=[a-z])[\s_-]+(?=[a-z])", "", word.lower())


def stripped(cell: str) -> str:
    """Return a cell without the spaces around it, including zero-width spaces."""
    return _EDGES.sub("", cell)


def is_blank(word: str) -> bool:
    """Return True if a stripped cell is empty or says so: `nan`, `None`, `#N/A`, `<NA>`, `?`, dashes alone."""
    word = unicodedata.normalize("NFKC", word).casefold()
    return word in _BLANK or _DASHES.fullmatch(word) is not None


def alike(name: str) -> str:
    """Return the normal form of a name, which is the same for all its spellings.

    Spellings differ in capitals, accents, Unicode form, spaces, dashes and similar marks, or leading zeros:
    `Ann-Lee`, `ann lee`; `P07`, `p_7`. A mark between two numbers is kept, because 1-11 is not 11-1.
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    # Remove only these accents. In other scripts, such as Japanese, marks distinguish letters.
    kept = (c for c in decomposed if not "\u0300" <= c <= "\u036f" and unicodedata.category(c) != "Cf")
    marked = "".join(c if unicodedata.category(c)[0] in "LMN" else "-" for c in kept)
    joined = re.sub(r"(?<!\d)-+|-+(?!\d)", "", marked)
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub("-+", "-", joined)) or name


def attack_type(word: str) -> str | None:
    """Return the attack type that a cell means: one of `ATTACK_TYPES`, or the table's own word in lower case.

    Returns:
        `other` for a blank cell. None if the cell cannot be an attack type, because it means live, is too long,
        or has no letters or digits.
    """
    if is_blank(word):
        return "other"
    tidy = re.sub(r"\W+", "_", word.lower()).strip("_")
    if not 0 < len(tidy) <= _LONGEST or LABELS.get(plain(word)) == 1:
        return None
    return _OURS.get(tidy, tidy)


def live_type(word: str) -> str | None:
    """Return `live` if the attack type of a live recording may be this word; None if it contradicts that."""
    return LIVE if is_blank(word) or LABELS.get(plain(word)) == 1 else None


def is_own(kind: str) -> bool:
    """Return True if an attack type is the table's own word, not one of `ATTACK_TYPES` or `live`."""
    return kind not in (*ATTACK_TYPES, LIVE)
