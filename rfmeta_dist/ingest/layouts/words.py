"""Translate the words that people write into a table for labels, splits and attacks to the ones used here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.recording import ATTACK_TYPES

_LONGEST = 32  # most characters of an attack type
# What pandas, R, Excel, databases and people write into a cell that has no value.
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
    """Return a word in one spelling, lower case and without marks: `Bona-Fide` → `bonafide`, `1.0` → `1`."""
    number = re.fullmatch(r"(\d+)\.0+", word)
    # Marks are removed between letters only, so that -1, which some tables use for attacks, keeps its minus.
    return number[1] if number else re.sub(r"(?<=[a-z])[\s_-]+(?=[a-z])", "", word.lower())


def stripped(cell: str) -> str:
    """Return a cell without the spaces around it, including spaces of zero width."""
    return _EDGES.sub("", cell)


def is_blank(word: str) -> bool:
    """Return True if a stripped cell is empty or says so: `nan`, `None`, `#N/A`, `<NA>`, `?`, only dashes."""
    word = unicodedata.normalize("NFKC", word).casefold()
    return word in _BLANK or _DASHES.fullmatch(word) is not None


def alike(name: str) -> str:
    """Return what all spellings of one name have in common.

    Spellings differ in capitals, accents, Unicode form, spaces, dashes and the like, or zeros before a number:
    `Ann-Lee`, `ann lee`; `P07`, `p_7`. A mark between two numbers is kept, because 1-11 and 11-1 differ.
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    # Only accents (U+0300 to U+036F) are removed. Other scripts, such as Japanese, have marks that tell letters
    # apart.
    kept = (c for c in decomposed if not "\u0300" <= c <= "\u036f" and unicodedata.category(c) != "Cf")
    marked = "".join(c if unicodedata.category(c)[0] in "LMN" else "-" for c in kept)
    joined = re.sub(r"(?<!\d)-+|-+(?!\d)", "", marked)
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub("-+", "-", joined)) or name


def attack_type(word: str) -> str | None:
    """Return the name of an attack type: one of `ATTACK_TYPES`, or the table's own word, normalised.

    Returns:
        `other` for a blank cell; None for what cannot be an attack: `live` or the like, or no word at all.
    """
    if is_blank(word):
        return "other"
    tidy = re.sub(r"\W+", "_", word.lower()).strip("_")
    if not 0 < len(tidy) <= _LONGEST or LABELS.get(plain(word)) == 1:
        return None
    return _OURS.get(tidy, tidy)


def live_type(word: str) -> str | None:
    """Return `live` if a live recording may have this attack type; None if the word contradicts it."""
    return LIVE if is_blank(word) or LABELS.get(plain(word)) == 1 else None


def is_own(kind: str) -> bool:
    """Return True if an attack type is a word of the table's own, not a built-in one."""
    return kind not in (*ATTACK_TYPES, LIVE)
