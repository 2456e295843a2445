"""Check a stored verdict: judge again from the stored scores, and list what differs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from rfmeta_dist.config.retrain import Gate
from rfmeta_dist.core.digests import digest
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.pairs import Pairs
from rfmeta_dist.retrain.verdict import FORMAT

_SAME = 1e-9  # relative difference of two figures that another version of numpy may cause


def recompute(scores: bytes, verdict: Mapping[str, Any]) -> list[str]:
    """Judge again from stored scores, and return how the stored verdict differs; [] if it does not.

    Args:
        scores: content of scores.parquet.
        verdict: content of verdict.json.

    Returns:
        Texts such as `decision: promoted is stored, refused is what the scores give`.

    Raises:
        DataError: the scores cannot be read, or nothing can be judged from them.
    """
    found = digest(scores)
    if verdict.get("scores") != found:
        return [f"scores: the verdict is about scores {verdict.get('scores')}, but the file has {found}"]
    if verdict.get("format") != FORMAT:
        return [f"format: {verdict.get('format')} is stored, but this version writes and checks {FORMAT}"]
    tries = verdict.get("tries")
    try:
        settings = Gate.model_validate(verdict.get("settings"))
    except ValidationError:
        return [f"settings: {verdict.get('settings')} is stored, which is not a gate's configuration"]
    if not isinstance(tries, int) or not 1 <= tries <= 1000:
        return [f"tries: {tries} is stored, which is not a number of tries"]
    return list(_differences("", verdict, judge(Pairs.from_parquet(scores), settings, tries).as_dict()))


def _differences(path: str, stored: Any, found: Any) -> Iterator[str]:
    """Yield where two JSON values differ."""
    inside = f"{path}." if path else ""
    if isinstance(stored, Mapping) and isinstance(found, Mapping):
        for name in sorted({*stored, *found}):
            yield from _differences(f"{inside}{name}", stored.get(name), found.get(name))
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for index, (one, other) in enumerate(zip(stored, found, strict=True)):
            yield from _differences(f"{inside}{index}", one, other)
    elif not _equal(stored, found):
        yield f"{path}: {stored} is stored, {found} is what the scores give"


def _equal(stored: Any, found: Any) -> bool:
    if isinstance(stored, bool) or isinstance(found, bool):
        return stored is found
    if isinstance(stored, int | float) and isinstance(found, int | float):
        return math.isclose(stored, found, rel_tol=_SAME, abs_tol=1e-15)
    return type(stored) is type(found) and stored == found
