from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest

from rfmeta_dist.config.retrain import Gate
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.retrain.decisions import EQUAL, OWN, equal_thresholds
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.pairs import NEW, Pairs
from rfmeta_dist.retrain.verdict import PROMOTED, REFUSED, UNDECIDED, Verdict
from tests.retrain.pairs_made import frozen, made, new

ENOUGH = frozen({"live": (1000, 50, 50), "print": (800, 15, 15), "replay": (800, 15, 15)})
CARD = new({"card": (150, 35, 4), "live": (60, 1, 1)})  # a new attack type


def judged(groups: list[tuple[str, str, str, int, int, int]], **other: Any) -> Verdict:
    return judge(made(groups, **other), Gate())


def test_a_gain_on_a_new_attack_type_without_loss_is_promoted() -> None:
    verdict = judged(ENOUGH + CARD)
    assert verdict.decision == PROMOTED
    assert verdict.needs == []
    gains = [row for row in verdict.tests if row["test"] == "gain"]
    assert [(row["at"], row["champion"], row["challenger"], row["videos"]) for row in gains] == [
        (OWN, 36, 5, 210),
        (EQUAL, 36, 5, 210),
    ]
    assert "5 of 210 videos wrong instead of 36" in verdict.sentence
    of = {(row["part"], row["type"]): row for row in verdict.rates}
    card = of["new", "card"]
    assert (card["rate"], card["champion"], card["challenger"]) == ("APCER", 35 / 150, 4 / 150)
    assert of["frozen", "live"]["rate"] == "BPCER"
    assert ("frozen", "card") not in of
    assert not any(row["of"] == "card" and row["test"] == "no loss" for row in verdict.tests)


def test_equal_models_are_undecided_and_the_missing_videos_are_told() -> None:
    verdict = judged(ENOUGH + new({"card": (100, 6, 6)}))
    assert verdict.decision == UNDECIDED
    (need,) = verdict.needs
    assert (need["test"], need["on"]) == ("gain", "new videos")
    assert 100 < need["videos"] < 1500
    assert f"About {need['videos']:,} more such videos" in verdict.sentence


@pytest.mark.parametrize(("errors", "more"), [((30, 20), True), ((25, 25), False)])
def test_where_a_gain_of_the_margin_would_have_been_found_the_number_is_for_the_gain_seen(
    errors: tuple[int, int], more: bool
) -> None:
    (need,) = judged(ENOUGH + new({"card": (2000, *errors)})).needs
    assert need["videos"] > 1000 if more else need["videos"] is None
    assert ("for this gain" in need["why"]) is more


def test_few_frozen_videos_are_undecided_and_with_the_told_number_more_the_verdict_is_promoted() -> None:
    few = frozen({"live": (150, 3, 3), "print": (150, 3, 3)})
    verdict = judged(few + CARD)
    assert verdict.decision == UNDECIDED
    assert {(row["test"], row["of"]) for row in verdict.needs} == {("no loss", "live"), ("no loss", "print")}
    more = max(row["videos"] for row in verdict.needs if row["on"] == "frozen videos")
    n = 150 + more
    shares = round(n * 0.02)
    again = judged(frozen({"live": (n, shares, shares), "print": (n, shares, shares)}) + CARD)
    assert again.decision == PROMOTED


def test_harm_in_one_cell_is_refused_and_named_in_spite_of_a_gain() -> None:
    other = frozen({"live": (800, 15, 15), "print": (100, 1, 14), "replay": (800, 15, 15)}, domain="M")
    verdict = judged(ENOUGH + other + CARD)
    assert verdict.decision == REFUSED
    assert verdict.harmed[0]["cell"] == "print in M"
    assert "print in M (14 of 100 videos wrong instead of 1, +13.0 points)" in verdict.sentence


def test_harm_to_one_device_is_refused_and_named() -> None:
    pairs = made(ENOUGH + CARD)
    wrong = (pairs.challenger >= 0.5) & (pairs.champion < 0.5) & (pairs.attack_type == "replay")
    right = np.flatnonzero((pairs.attack_type == "replay") & ~wrong)[100:140]
    device = np.full(len(pairs), '{"device":"a"}', object)
    device[wrong] = '{"device":"phone-2"}'
    device[right] = '{"device":"phone-2"}'
    verdict = judge(dataclasses.replace(pairs, about=device), Gate())
    assert verdict.decision == REFUSED
    assert [row["cell"] for row in verdict.harmed] == ["replay with device phone-2"]


def test_a_gain_paid_with_live_people_of_the_new_data_is_not_promoted() -> None:
    verdict = judged(ENOUGH + new({"card": (600, 150, 10), "live": (400, 10, 60)}))
    assert verdict.decision == REFUSED
    assert verdict.harmed[0]["cell"].startswith("new live")


def test_a_type_that_is_worse_by_the_margin_is_never_promoted_however_many_videos_there_are() -> None:
    verdict = judged(frozen({"live": (4000, 200, 200), "print": (4000, 100, 300)}) + CARD)
    assert verdict.decision == REFUSED
    loss = [row for row in verdict.tests if row["of"] == "print"]
    assert [round(row["points"], 6) for row in loss] == [5, 5]
    assert not any(row["passed"] for row in loss)


def test_only_reviewed_batches_count() -> None:
    pairs = made(ENOUGH + CARD)
    verdict = judge(dataclasses.replace(pairs, counted=pairs.part != NEW), Gate())
    assert verdict.decision == UNDECIDED
    assert [(row["test"], row["videos"]) for row in verdict.needs] == [("gain", None)]
    assert "mark it reviewed" in verdict.sentence
    assert verdict.as_dict()["sizes"]["new_counted"]["videos"] == 0
    # Labels that nobody reviewed cannot refuse a challenger either.
    poisoned = made(ENOUGH + new({"card": (150, 4, 90)}))
    assert judge(poisoned, Gate()).decision == REFUSED
    assert judge(dataclasses.replace(poisoned, counted=poisoned.part != NEW), Gate()).decision == UNDECIDED


def test_without_new_videos_the_gain_is_that_on_the_frozen_ones() -> None:
    better = frozen({"live": (800, 25, 5), "print": (800, 70, 10)})
    verdict = judged(better)
    assert verdict.decision == PROMOTED
    assert verdict.tests[0]["on"] == "frozen videos"
    assert judged(frozen({"live": (800, 15, 15), "print": (800, 15, 15)})).decision == UNDECIDED


def test_a_shifted_threshold_is_no_gain() -> None:
    """The challenger's scores are the champion's, but its threshold is stricter."""
    pairs = made(ENOUGH + CARD)
    rng = np.random.default_rng(1)
    score = np.where(pairs.label == 1, rng.normal(1, 1, len(pairs)), rng.normal(-1, 1, len(pairs)))
    same = dataclasses.replace(pairs, champion=score, challenger=score, thresholds=(0.0, 0.3))
    verdict = judge(same, Gate())
    gains = {row["at"]: row for row in verdict.tests if row["test"] == "gain"}
    assert gains[OWN]["challenger"] < gains[OWN]["champion"]
    # One new attack lies between the two live scores that the threshold separates.
    assert abs(gains[EQUAL]["challenger"] - gains[EQUAL]["champion"]) <= 1
    assert verdict.decision != PROMOTED
    assert verdict.equal[1] == pytest.approx(0.0, abs=0.01)


def test_harm_that_only_equal_bpcer_shows_is_named_but_does_not_refuse() -> None:
    """The challenger separates print worse, and hides it behind a threshold that rejects more live people."""
    pairs = made(ENOUGH + CARD)
    live = (pairs.label == 1) & (pairs.part != NEW)
    challenger = pairs.challenger.copy()
    challenger[np.flatnonzero(live)[100:110]] = 0.496
    challenger[np.flatnonzero(pairs.attack_type == "print")[100:130]] = 0.498
    verdict = judge(dataclasses.replace(pairs, challenger=challenger), Gate())
    assert verdict.decision != REFUSED
    assert verdict.equal[1] <= 0.496
    assert [row["cell"] for row in verdict.hidden] == ["print in O"]
    assert "Look at print in O (" in verdict.sentence


@pytest.mark.parametrize(
    ("champion", "challenger", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0.3, 0.6, 0.7, 0.9], 0.65),  # two rejected, so between 0.6 and 0.7
        ([0.1, 0.7, 0.8, 0.9], [0.3, 0.6, 0.7, 0.9], 0.5),  # the own threshold rejects one, too
        ([0.7, 0.7, 0.8, 0.9], [0.3, 0.6, 0.7, 0.9], 0.3),  # none is rejected
        ([0.1, 0.2, 0.3, 0.9], [0.4, 0.6, 0.6, 0.6], 0.5),  # a tie of three: one is rejected, not four
        ([0.1, 0.2, 0.3, 0.4], [0.3, 0.6, 0.7, 0.9], np.nextafter(0.9, 1)),  # all are rejected
    ],
)
def test_equal_bpcer_is_reached_from_below(
    champion: list[float], challenger: list[float], expected: float
) -> None:
    pairs = made(frozen({"live": (4, 0, 0)}), champion=champion, challenger=challenger)
    assert equal_thresholds(pairs) == (0.5, pytest.approx(expected, abs=1e-15))


def test_equal_bpcer_is_at_least_five_percent() -> None:
    """A champion that rejects nobody does not force the challenger to accept its least live-like live face."""
    live = np.linspace(0.6, 0.99, 100)
    pairs = made(frozen({"live": (100, 0, 0)}), champion=live, challenger=live[::-1] - 0.1)
    champion, challenger = equal_thresholds(pairs)
    assert ((live < champion).sum(), (live - 0.1 < challenger).sum()) == (5, 5)


def test_each_further_try_halves_the_levels() -> None:
    pairs = made(ENOUGH + CARD)
    levels = [{row["level"] for row in judge(pairs, Gate(), tries).tests} for tries in (1, 3)]
    assert levels == [{0.025, 0.005}, {0.00625, 0.00125}]


@pytest.mark.parametrize("kind", ["live", "print"])
def test_a_frozen_part_of_one_class_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="have no"):
        judged(frozen({kind: (50, 0, 0)}) + CARD)


def random_pairs(rng: np.random.Generator) -> Pairs:
    def group() -> tuple[int, int, int]:
        n = int(rng.integers(30, 400))
        first, second = (int(count) for count in rng.integers(0, n // 5, 2))
        return n, first, second

    groups = frozen({"live": group(), "print": group(), "replay": group()})
    more = frozen({"live": group(), "print": group()}, domain="M")
    return made(groups + more + new({"card": group()}), videos_each=int(rng.integers(1, 4)), seed=3)


@pytest.mark.parametrize("seed", range(6))
def test_a_verdict_does_not_depend_on_the_order_of_rows_or_the_names_of_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = random_pairs(rng)
    names = sorted(set(pairs.subject.tolist()))
    renamed = dict(zip(names, random.Random(seed).sample(names, len(names)), strict=True))
    other = dataclasses.replace(pairs, subject=np.array([renamed[name] for name in pairs.subject], object))
    one, two = (judge(some, Gate()).as_dict() for some in (pairs, other.select(rng.permutation(len(pairs)))))
    del one["scores"], two["scores"]
    assert one == two


@pytest.mark.parametrize("seed", range(30))
def test_further_errors_of_the_challenger_never_make_a_verdict_better(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    pairs = random_pairs(rng)
    attacks = np.flatnonzero((pairs.label == 0) & (pairs.challenger < 0.5))
    challenger = pairs.challenger.copy()
    challenger[rng.choice(attacks, size=max(1, len(attacks) // 10), replace=False)] += 0.5
    before, after = (judge(some, Gate()) for some in (pairs, dataclasses.replace(pairs, challenger=challenger)))
    assert after.decision != PROMOTED or before.decision == PROMOTED
    for one, other in zip(before.tests, after.tests, strict=True):
        if one["test"] == "gain":
            assert other["p"] >= one["p"] * (1 - 1e-9)
