"""Judge whether a challenger makes fewer errors on new data and loses nothing that the champion can do.

A challenger is *promoted* if three conditions hold: it makes significantly fewer errors on the counted new
videos (gain); its error rate on every attack type and on live videos of the frozen test sets is shown not to be
higher by `margin` points (no loss); and no cell shows significantly more errors (harm). It is *refused* if a
cell shows them at the packages' own thresholds. Else the verdict is *undecided*, with the number of videos that
would decide.
docs/explanation/gate.md has the reasons, and the measured shares of wrong verdicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.retrain import harm, power
from rfmeta_dist.retrain.decisions import AT, EQUAL, OWN, Decisions
from rfmeta_dist.retrain.pairs import FROZEN, NEW
from rfmeta_dist.retrain.significance import design_effects, no_loss, sign_flips
from rfmeta_dist.retrain.verdict import PROMOTED, REFUSED, UNDECIDED, Verdict
from rfmeta_dist.retrain.verdict import need as in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.config.retrain import Gate
    from rfmeta_dist.retrain.pairs import Pairs
    from rfmeta_dist.retrain.significance import Compared

    Bits = NDArray[np.bool_]
    Row = dict[str, Any]

GAIN, NO_LOSS = "gain", "no loss"
NEW_VIDEOS, FROZEN_VIDEOS, ALL_VIDEOS = "new videos", "frozen videos", "frozen and new videos"


def judge(pairs: Pairs, settings: Gate, tries: int = 1) -> Verdict:
    """Judge the challenger. Equal arguments give equal verdicts.

    Args:
        pairs: the scores of both models.
        settings: margin and levels.
        tries: which try this is to replace this champion with the same data, code and configuration. Each try
            halves the levels of gain and no loss, so that an equal challenger is promoted with a probability of
            at most twice `gain_level`, however often it is tried.

    Raises:
        DataError: the frozen part has no live video or no attack, or what is known about a recording cannot be
            read.
    """
    decisions = Decisions.of(pairs)
    smaller = 100 * 2 ** (tries - 1)
    gain_level, loss_level = settings.gain_level / smaller, settings.loss_level / smaller
    # At equal BPCER the test of no loss only has to notice a shifted threshold: at own thresholds it keeps
    # `loss_level` already. At that level it would cost ten points of power (docs/explanation/gate.md).
    levels = {OWN: loss_level, EQUAL: max(loss_level, gain_level)}
    tests = [*_gain(decisions, gain_level), *_no_loss(decisions, settings.margin / 100, levels)]
    cells = harm.tested(decisions, settings.harm_level / 100)
    decision = UNDECIDED
    if any(row["harm"] and row["at"] == OWN for row in cells):
        decision = REFUSED
    elif all(test["passed"] for test in tests):
        decision = PROMOTED
    needs = _needs(tests, settings.margin / 100) if decision == UNDECIDED else []
    for test in tests:
        del test["compared"]
    return Verdict(
        decision, settings.model_dump(), tries, pairs, decisions.equal, tests, cells, rates(decisions), needs
    )


def _gain(decisions: Decisions, level: float) -> list[Row]:
    """Return the test of fewer errors at each kind of threshold.

    It counts the new videos of reviewed batches. If no video at all is new, because code or configuration is
    the reason for the challenger, it counts the frozen ones.
    """
    pairs = decisions.pairs
    new = pairs.part == NEW
    rows, part = (new & pairs.counted, NEW_VIDEOS) if new.any() else (~new, FROZEN_VIDEOS)
    found = []
    for at in AT:
        compared = decisions.compared(rows, at)
        effect = design_effects([compared])[0]
        found.append(_row(GAIN, "all types", part, at, compared, effect, level, sign_flips(compared.sums)))
    return found


def _no_loss(decisions: Decisions, margin: float, levels: Mapping[str, float]) -> list[Row]:
    """Return the tests of no loss for each type of the frozen part, over all domains together.

    Live videos are also tested together with the counted new ones, because the challenger must not pay for its
    gain with live people.
    At equal BPCER they have no test: the threshold makes them equal.
    """
    pairs, found = decisions.pairs, []
    frozen = pairs.part == FROZEN
    for at in AT:
        groups = {}
        for kind in decisions.kinds:
            rows = pairs.attack_type == kind
            if (rows & frozen).any() and (kind != LIVE or at == OWN):
                groups[kind, FROZEN_VIDEOS] = decisions.compared(rows & frozen, at)
        effects = dict(zip(groups, design_effects(list(groups.values())), strict=True))
        live = (pairs.attack_type == LIVE) & pairs.counted
        if at == OWN and (live & ~frozen).any():
            both = groups[LIVE, ALL_VIDEOS] = decisions.compared(live, at)
            effects[LIVE, ALL_VIDEOS] = max(effects[LIVE, FROZEN_VIDEOS], *design_effects([both]))
        for (kind, part), compared in groups.items():
            p = no_loss(compared, margin, effects[kind, part])
            found.append(_row(NO_LOSS, kind, part, at, compared, effects[kind, part], levels[at], p))
    return found


def _row(
    test: str, kind: str, part: str, at: str, compared: Compared, effect: float, level: float, p: float
) -> Row:
    return {
        "test": test,
        "of": kind,
        "on": part,
        "at": at,
        "videos": compared.n,
        "subjects": len(compared.sums),
        "champion": compared.champion,
        "challenger": compared.challenger,
        "points": compared.points,
        "disagreement": compared.disagreement,
        "design_effect": effect,
        "p": p,
        "level": level,
        "passed": p <= level,
        "compared": compared,
    }


def rates(decisions: Decisions) -> list[Row]:
    """Return the error rates of both models by type, on frozen, new, and counted new videos.

    The champion's rate on new videos is its rate before any training on their batch, because the champion is
    older than the batch. Rates are fractions: BPCER for `live`, APCER for an attack type.
    """
    pairs = decisions.pairs
    parts = {
        "frozen": pairs.part == FROZEN,
        "new": pairs.part == NEW,
        "new, counted": pairs.counted & (pairs.part == NEW),
    }
    found = []
    for part, there in parts.items():
        for kind in decisions.kinds:
            rows = there & (pairs.attack_type == kind)
            if not rows.any():
                continue
            own, equal = decisions.compared(rows, OWN), decisions.compared(rows, EQUAL)
            found.append(
                {
                    "part": part,
                    "type": kind,
                    "rate": "BPCER" if kind == LIVE else "APCER",
                    "videos": own.n,
                    "subjects": len(own.sums),
                    "champion": own.champion / own.n,
                    "challenger": own.challenger / own.n,
                    "champion_at_equal_bpcer": equal.champion / equal.n,
                    "challenger_at_equal_bpcer": equal.challenger / equal.n,
                }
            )
    return found


def _needs(tests: list[Row], margin: float) -> list[Row]:
    """Return what would decide each test that did not pass: one row for each type and part.

    A row has `test`, `of`, `on`, `videos` and `subjects` (how many more; None if more of them would not help),
    `why`, and `words`, which says all of it.
    """
    each = power.share(len({(test["test"], test["of"], test["on"]) for test in tests}))
    found: dict[tuple[str, str, str], Row] = {}
    for test in tests:
        if test["passed"]:
            continue
        need, why = (_gain_needs if test["test"] == GAIN else _no_loss_needs)(test, margin, each)
        more = None if need is None else max(1, need - test["videos"])
        people = more and -(-more * max(1, test["subjects"]) // max(1, test["videos"]))
        key = test["test"], test["of"], test["on"]
        row = {"test": key[0], "of": key[1], "on": key[2], "videos": more, "subjects": people, "why": why}
        row["words"] = in_words(row)
        known = found.get(key)
        if known is None or (known["videos"] is not None and (more is None or more > known["videos"])):
            found[key] = row
    return list(found.values())


def _gain_needs(test: Row, margin: float, power_each: float) -> tuple[int | None, str]:
    compared: Compared = test["compared"]
    if not compared.n:
        return (
            None,
            "No new video belongs to a reviewed batch: check the labels of the batch and mark it reviewed "
            "(rfmeta shards review).",
        )
    gain = (compared.champion - compared.challenger) / compared.n

    def need(wanted: float) -> int:
        return power.for_gain(compared.disagreement, wanted, test["design_effect"], test["level"], power_each)

    seen = f"The gain seen is {100 * gain:.1f} points"
    if need(max(gain, margin)) > compared.n:
        least = "" if gain >= margin else f"; the number is for a gain of {100 * margin:g} points"
        return need(max(gain, margin)), f"{seen}{least}."
    if gain > 0:
        return need(gain), f"{seen}, and the number is for this gain."
    return None, f"{seen}, although these videos are enough to find one of {100 * margin:g} points."


def _no_loss_needs(test: Row, margin: float, power_each: float) -> tuple[int | None, str]:
    compared: Compared = test["compared"]

    def need(more: float) -> int | None:
        return power.for_no_loss(compared, more, test["design_effect"], margin, test["level"], power_each)

    equal = need(0.0)
    if equal is None or equal > compared.n:
        return equal, "The number is for models that are equally good."
    seen = need(max(0.0, compared.points / 100))
    if seen is None:
        return (
            None,
            f"It errs more often by {compared.points:.1f} points, which is not below the margin.",
        )
    return (
        seen,
        f"It errs more often by {compared.points:.1f} points, and the number is for this loss.",
    )
