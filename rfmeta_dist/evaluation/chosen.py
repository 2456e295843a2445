"""Choose the frames that an explanation shows, and those that it summarises, by a rule stated on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.examples import turns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

Group = Literal["worst", "typical"]
WORST, TYPICAL = 4, 2  # frames of each type that are shown
RECORDINGS = 120  # recordings of each domain and type that are summarised, at most


class Chosen(NamedTuple):
    """A frame to show.

    Attributes:
        key: of the frame.
        kind: `live` or the attack type.
        group: `worst` if it is among the most wrong scores of its type, `typical` if it is near their median.
    """

    key: str
    kind: str
    group: Group


def kinds(scores: Scores) -> list[str]:
    """Return `live` and then the attack types of some scores, in alphabetic order."""
    return sorted(set(scores.attack_type.tolist()), key=lambda kind: (kind != LIVE, kind))


def to_show(scores: Scores) -> list[Chosen]:
    """Return the frames of a target to show: for each type, the worst ones first, then typical ones.

    Worst are the lowest scores of live faces and the highest ones of attacks, whether they are on the wrong
    side of the threshold or not. Typical are scores near the median of the type. Each recording is shown once,
    by the frame that fits best. People take turns: nobody is shown twice as long as there is somebody else.

    Args:
        scores: of the target's frames.
    """
    return [chosen for kind in kinds(scores) for chosen in _of_kind(scores, kind)]


def _of_kind(scores: Scores, kind: str) -> list[Chosen]:
    one = scores.select(scores.attack_type == kind)
    wrong = one.score if kind == LIVE else -one.score
    first = _best(one, wrong)[:WORST]
    worst = first[np.lexsort((one.key[first], wrong[first]))]
    left = one.select(~np.isin(one.video, one.video[worst]))
    typical = _best(left, np.abs(left.score - np.median(one.score)))[:TYPICAL]
    return [
        *(Chosen(str(key), kind, "worst") for key in one.key[worst]),
        *(Chosen(str(key), kind, "typical") for key in left.key[typical]),
    ]


def _best(scores: Scores, distance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the row of the smallest distance of each recording, so ordered that people take turns."""
    order = np.lexsort((scores.key, distance))
    once = order[np.array(turns(scores.video[order]), np.int64) == 0]
    rows: NDArray[np.int64] = once[np.argsort(turns(scores.subject[once]), kind="stable")]
    return rows


def to_summarise(scores: Scores) -> Scores:
    """Return one frame of each recording, the middle one; at most `RECORDINGS` of each domain and type.

    If there are more, recordings are taken at equal distances from the list sorted by person and name.

    Args:
        scores: of frames, of any number of domains.
    """
    order = np.lexsort((scores.key, scores.video, scores.subject, scores.attack_type, scores.domain))
    ordered = scores.select(order)
    columns = (ordered.domain, ordered.attack_type, ordered.subject, ordered.video)
    starts = _starts(*columns)
    middle = (starts + np.append(starts[1:], len(ordered)) - 1) // 2
    groups = np.split(middle, _starts(ordered.domain[middle], ordered.attack_type[middle])[1:])
    thinned = [g[np.unique(np.linspace(0, len(g) - 1, RECORDINGS).round().astype(int))] for g in groups]
    return ordered.select(np.concatenate(thinned).astype(np.int64))


def _starts(*columns: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the rows in which any of the columns differs from the row before; row 0 is one of them."""
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1])
