"""Understand the names of columns, and the words in them, that people write in tables of scores."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfmeta_dist.core.types import Split
    from rfmeta_dist.evaluation.tables import Choose, Column, Table

# What a column is used for, and the names by which it is recognised. The later names are those of a manifest
# (subject_id, video_id) and of the tables that bob.pad.base writes (claimed_id, test_label, is_bonafide, …).
ROLES: Mapping[str, tuple[str, ...]] = {
    "video": ("video", "video_id", "video_key", "test_label"),
    "subject": ("subject", "subject_id", "claimed_id"),
    "label": ("label", "is_bonafide"),
    "attack_type": ("attack_type",),
    "split": ("split",),
    "domain": ("domain",),
    "frame": ("frame", "frame_id"),
    "key": ("key",),
    "score": ("score",),
}
SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("validation", "val", "valid", "dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
    **dict.fromkeys(("train", "training"), "train"),
}
_LIVE = ("live", "bonafide", "genuine", "real")
_ATTACK = ("attack", "spoof", "fake", "presentationattack", "pa")
# Pairs of labels that some authors write for live and attack, and others for attack and live.
_UNCLEAR = ({"0", "1"}, {"-1", "1"}, {"true", "false"}, {"yes", "no"})
_NAME_LIVE = "give --live with the label of live rows, such as --live 1; every other label is then an attack"


def plain(word: str) -> str:
    """Return a word without upper case, spaces, hyphens and underscores."""
    return word.casefold().replace(" ", "").replace("-", "").replace("_", "")


def chooser(name: str, given: Mapping[str, str]) -> Choose:
    """Return the function that finds the columns of a table.

    Args:
        name: the file's name, for errors.
        given: the name of the column for some roles; "" for a role that is not to be used.
    """
    return lambda header: _choose(header, name, given)


def _choose(header: Sequence[str], name: str, given: Mapping[str, str]) -> dict[str, int]:
    known = [plain(head) for head in header]
    places: dict[str, int] = {}
    for role, aliases in ROLES.items():
        wanted = (given[role],) if role in given else aliases
        for alias in filter(None, wanted):
            place = _place(header, known, alias, name)
            if place is not None:
                places[role] = place
                break
        else:
            if given.get(role):
                raise DataError(
                    f"{name} has no column {given[role]!r}, but {', '.join(header)[:300]}",
                    f"correct the name in --column {role}=NAME",
                )
    for role in ("score", "video", *(() if "attack_type" in places else ("label",))):
        if role not in places:
            near = difflib.get_close_matches(role, known, 1, 0.5)
            hint = header[known.index(near[0])] if near else "NAME"
            raise DataError(
                f"{name} has no column {role}; its first row is: {', '.join(header)[:300]}",
                f"name the columns in the first row, or say which it is: --column {role}={hint}",
            )
    return places


def _place(header: Sequence[str], known: Sequence[str], alias: str, name: str) -> int | None:
    """Return where a column is: by its exact name, else without regard to case, spaces and underscores."""
    exact = [place for place, head in enumerate(header) if head == alias]
    found = exact or [place for place, head in enumerate(known) if head == plain(alias)]
    if len(found) > 1:
        raise DataError(
            f"{name} has {len(found)} columns called {header[found[0]]}, so it is not clear which to use",
            "rename or remove one of them",
        )
    return found[0] if found else None


def kinds(table: Table, live: Sequence[str]) -> Column:
    """Return `live` or the attack type of each row, from the columns `label` and `attack_type`.

    Attacks of a table without attack types are of the type `attack`.

    Args:
        table: the table.
        live: the labels of live rows; empty to understand the usual words.

    Raises:
        DataError: a label is not understood or is ambiguous, label and attack type contradict each other, or an
            attack has no type although others have.
    """
    import numpy as np

    from rfmeta_dist.evaluation.tables import Column

    labels, types = table.columns.get("label"), table.columns.get("attack_type")
    if types is None:
        assert labels is not None
        types = Column([""], np.zeros(len(table), np.int64))
    elif labels is None:
        labels = types
        live = (*live, *(text for text in types.texts if plain(text) in _LIVE))
        if not live and types.texts:
            raise DataError(
                f"{table.name} has no column label, and no attack type is `{LIVE}`",
                f"write `{LIVE}` as the attack type of live rows, or say which column is the label: "
                "--column label=NAME",
            )
    truth = _truth(table, labels, types, live)
    named = [text for text in types.texts if text and plain(text) not in (*_LIVE, *map(plain, live))]
    _require_one_spelling(table, types, named)
    pairs, first = np.unique(np.stack([labels.code, types.code], axis=1), axis=0, return_index=True)
    made: dict[tuple[int, int], str] = {}
    for (label, kind), index in zip(pairs.tolist(), first.tolist(), strict=True):
        made[label, kind] = _kind(table, index, truth[labels.texts[label]], types.texts[kind], named)
    texts = sorted(set(made.values()))
    code = np.zeros(len(table), np.int64)
    for (label, kind), text in made.items():
        code[(labels.code == label) & (types.code == kind)] = texts.index(text)
    return Column(texts, code)


def _kind(table: Table, index: int, is_live: bool, text: str, named: list[str]) -> str:
    remedy = "correct the label or the attack type"
    if is_live and text in named:
        table.refuse(index, f"is labelled live, but its attack type is {text!r}", remedy)
    if not is_live and text and text not in named:
        table.refuse(index, f"is labelled an attack, but its attack type is {text!r}", remedy)
    if not is_live and not text and named:
        remedy = f"write its type, such as {named[0]}; or use the table without types: --column attack_type="
        table.refuse(index, "is an attack without an attack type, but other attacks have one", remedy)
    return LIVE if is_live else text or "attack"


def _truth(table: Table, labels: Column, types: Column, live: Sequence[str]) -> dict[str, bool]:
    """Return for each label whether it means live."""
    words = {text: plain(text) for text in labels.texts}
    if "" in words and labels is not types:
        table.refuse(int(labels.rows("")[0]), "has no label", "write live or attack in it")
    if "" in words:
        table.refuse(int(labels.rows("")[0]), "has neither a label nor an attack type", "write one of them")
    if live:
        wanted = {plain(word) for word in live}
        lost = wanted - set(words.values())
        if lost == wanted:
            raise DataError(
                f"no label in {table.name} is {' or '.join(live)}; the labels are {_some(labels.texts)}",
                _NAME_LIVE,
            )
        return {text: word in wanted for text, word in words.items()}
    if plain(table.heads.get("label", "")) == "isbonafide" and set(words.values()) <= {"true", "false"}:
        return {text: word == "true" for text, word in words.items()}
    strange = [text for text, word in words.items() if word not in (*_LIVE, *_ATTACK)]
    if not strange:
        return {text: word in _LIVE for text, word in words.items()}
    if not any(set(words.values()) <= pair for pair in _UNCLEAR):
        remedy = f"write live or attack; or {_NAME_LIVE}; if the column holds attack types, give --column "
        remedy += f"attack_type={table.heads['label']} and --column label="
        index = int(labels.rows(strange[0])[0])
        table.refuse(index, f"has the label {strange[0]!r}, which is neither live nor attack", remedy)
    return _by_types(table, labels, types)


def _by_types(table: Table, labels: Column, types: Column) -> dict[str, bool]:
    """Return which of two labels such as 0 and 1 means live: that whose rows have no attack type, or `live`."""
    import numpy as np

    without = np.array([not text or plain(text) in _LIVE for text in types.texts])[types.code]
    found = {text: bool(without[labels.code == place].all()) for place, text in enumerate(labels.texts)}
    attacks = all(found[text] or not without[labels.rows(text)].any() for text in labels.texts)
    if not attacks or all(found.values()):
        raise DataError(
            f"the labels of {table.name} are {_some(labels.texts)}, and authors differ in which of them means "
            "live",
            _NAME_LIVE,
        )
    return found


def _require_one_spelling(table: Table, types: Column, named: list[str]) -> None:
    spelt: dict[str, str] = {}
    for text in named:
        other = spelt.setdefault(plain(text), text)
        if other != text:
            table.refuse(
                int(types.rows(text)[0]),
                f"has the attack type {text!r}, but another row has {other!r}",
                "write an attack type in one way, because each type has its own error rate",
            )


def splits(table: Table, default: Split | None) -> Column:
    """Return `train`, `validation` or `test` for each row.

    Args:
        table: the table.
        default: the split of all rows if the table has no column `split`. None if the column decides alone; all
            rows are then `test` without it.

    Raises:
        DataError: a split is not understood, or is not the default.
    """
    import numpy as np

    from rfmeta_dist.evaluation.tables import Column

    column = table.columns.get("split")
    if column is None:
        return Column([default or "test"], np.zeros(len(table), np.int64))
    for text in column.texts:
        found = SPLITS.get(plain(text))
        if found is None:
            remedy = "write validation, test or train in it; or judge all rows as test: --column split="
            table.refuse(
                int(column.rows(text)[0]), f"has the split {text!r}" if text else "has no split", remedy
            )
        if default and found != default:
            remedy = "give one table with both splits, or leave the column out of both: --column split="
            said = f"has the split {text!r}, but with --validation this file is to hold the {default} rows"
            table.refuse(int(column.rows(text)[0]), said, remedy)
    return Column.of([SPLITS[plain(text)] for text in column.texts], column.code)


def _some(texts: Sequence[str]) -> str:
    return ", ".join(sorted(texts)[:6]) + (" and others" if len(texts) > 6 else "")
