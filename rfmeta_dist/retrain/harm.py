"""Find where a challenger does harm: tests of every cell of domain and attack type, and of every slice.

A cell is all counted videos of one type, `live` or an attack type, in one domain or with one value of what is
known about recordings, such as the device. Each cell is tested for more errors of the challenger, by an exact
test over people, with Holm's correction over all cells: at the packages' own thresholds, and once more at equal
BPCER. Only the first family refuses a challenger. The second one is shown, because its tests are not exact: the
threshold for equal BPCER is estimated on the same videos. In simulations of equal models, up to a tenth of its
families have a false alarm, however many videos there are (docs/explanation/gate.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.about import from_text
from rfmeta_dist.evaluation.scores import coded
from rfmeta_dist.retrain.decisions import AT, Decisions
from rfmeta_dist.retrain.pairs import FROZEN, NEW
from rfmeta_dist.retrain.significance import corrected, least, sign_flips

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Bits = NDArray[np.bool_]


def cells(decisions: Decisions) -> dict[str, Bits]:
    """Return the rows of each cell by its name, such as `print in O` or `live with device phone-2`.

    Frozen and new videos have cells of their own; the slices have both. A cell that holds the same videos as an
    earlier one is left out.
    """
    found: dict[str, Bits] = {}
    seen: set[bytes] = set()
    for name, rows in _all_cells(decisions):
        content = rows.tobytes()
        if rows.any() and content not in seen:
            seen.add(content)
            found[name] = rows
    return found


def _all_cells(decisions: Decisions) -> Iterator[tuple[str, Bits]]:
    pairs = decisions.pairs
    of_kind = {kind: (pairs.attack_type == kind) & pairs.counted for kind in decisions.kinds}
    domains = {domain: pairs.domain == domain for domain in coded(pairs.domain)[0]}
    for part, prefix in ((FROZEN, ""), (NEW, "new ")):
        there = pairs.part == part
        for kind, rows in of_kind.items():
            for domain, inside in domains.items():
                yield f"{prefix}{kind} in {domain}", rows & inside & there
            yield f"{prefix}{kind} in all domains", rows & there
    for value, inside in _slices(decisions):
        for kind, rows in of_kind.items():
            yield f"{kind} with {value}", rows & inside


def _slices(decisions: Decisions) -> Iterator[tuple[str, Bits]]:
    import numpy as np

    texts, text = coded(decisions.pairs.about)
    facts = [from_text(known) for known in texts]
    for name in sorted({name for known in facts for name in known}):
        for value in sorted({known[name] for known in facts if name in known}):
            yield f"{name} {value}", np.array([known.get(name) == value for known in facts])[text]


def tested(decisions: Decisions, level: float) -> list[dict[str, Any]]:
    """Return the test of each cell, those at own thresholds first, then by p.

    Cells of so few people that no result could be significant are left out. A row has `cell`, `at`, `videos`,
    `subjects`, `champion` and `challenger` (numbers of errors), `points` (the difference of the error rates,
    positive if the challenger errs more), `p`, `adjusted` (p after the correction) and `harm` (True if
    significant).

    Args:
        decisions: of both models.
        level: of all tests at one kind of threshold, a fraction.
    """
    members = cells(decisions)
    return [row for at in AT for row in _family(decisions, members, at, level)]


def _family(decisions: Decisions, members: Mapping[str, Bits], at: str, level: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    leasts = []
    for name, inside in members.items():
        found = decisions.compared(inside, at)
        if 0.5 ** len(found.sums) > level:
            continue
        leasts.append(least(found.sums))
        rows.append(
            {
                "cell": name,
                "at": at,
                "videos": found.n,
                "subjects": len(found.sums),
                "champion": found.champion,
                "challenger": found.challenger,
                "points": found.points,
                "p": sign_flips(-found.sums),
            }
        )
    adjusted = corrected([row["p"] for row in rows], leasts, level)
    for row, p in zip(rows, adjusted, strict=True):
        row |= {"adjusted": p, "harm": p <= level}
    return sorted(rows, key=lambda row: (row["adjusted"], row["p"], row["cell"]))
