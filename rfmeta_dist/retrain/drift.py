"""Compare the scores of videos in production with the champion's scores on its frozen set.

The share of attacks in production is not known, and differs from that of the frozen set. So production is
compared with mixtures: F_a = (1 − a) F_live + a F_attack, where a is the share of attacks that fits best. What
no mixture explains is drift. What a mixture with another share explains may be another mix, or a drift that
looks like one. Drift is a reason to look; it never trains or promotes anything.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rfmeta_dist.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rfmeta_dist.config.retrain import Drift as Settings
    from rfmeta_dist.retrain.production import Production

Verdict = Literal["nothing to say", "no drift", "mix or drift", "drift"]
BINS = 10  # bins of equal expected share, over which the population stability index is summed
BLIND = (
    "Scores do not show an attack that passes: it has the scores of live faces. Only labels show it, such as "
    "confirmed frauds or tests by a red team.",
    "A change that only some videos have is seen late: 5 % of the videos are hardly ever enough.",
    "A drift that makes live faces score like attacks looks like a larger share of attacks.",
    "Videos that were refused, and people who gave up, have no scores.",
    "Several videos of one person count as if they were of several people, so the test is too sensitive then.",
)


@dataclass(frozen=True, eq=False)
class Reference:
    """The champion's scores of videos whose labels are known, sorted.

    Attributes:
        live, attack: scores of live videos and of attacks, rising.
        threshold: the champion's threshold for videos; a video is accepted as live if its score ≥ threshold.
        what: what the scores are of, in words.
    """

    live: NDArray[np.float64]
    attack: NDArray[np.float64]
    threshold: float
    what: str

    @classmethod
    def of(cls, label: NDArray[np.int64], score: NDArray[np.float64], threshold: float, what: str) -> Reference:
        """Return the reference of N videos.

        Args:
            label: N labels, 1 live and 0 attack.
            score: N scores, one for each video.
            threshold: the champion's threshold for videos.
            what: what the scores are of, in words, such as "the frozen set".

        Raises:
            DataError: one of the classes has no video.
        """
        live, attack = (np.sort(score[label == side]) for side in (1, 0))
        if not (len(live) and len(attack)):
            raise DataError(
                f"the scores of {what} have {len(live)} live videos and {len(attack)} of attacks, so "
                "production cannot be compared with a mixture of both",
                "give scores of both classes",
            )
        return cls(live, attack, threshold, what)

    @property
    def share(self) -> float:
        """Return the share of attacks among its videos."""
        return len(self.attack) / (len(self.live) + len(self.attack))


@dataclass(frozen=True)
class Comparison:
    """How N scores compare with a mixture of the reference.

    Attributes:
        attack_share: share of attacks in the mixture.
        psi: population stability index, Σ (p − q) ln(p / q) over `BINS` bins (Siddiqi, Credit Risk Scorecards,
            2006).
        psi_without_drift: its mean if nothing has changed, (bins − 1)(1/n + 1/N) (Yurdakul, Statistical
            Properties of Population Stability Index, 2018), with the N videos that the mixture is worth.
        ks: Kolmogorov-Smirnov statistic, the largest distance of the distribution functions.
        p: its p-value.
    """

    attack_share: float
    psi: float
    psi_without_drift: float
    ks: float
    p: float

    def fires(self, settings: Settings, tests: int = 1) -> bool:
        """Return True if both the index and the test find a difference.

        Args:
            settings: when they do.
            tests: number of tests among which this one is; the level is divided by it (Bonferroni).
        """
        return self.psi > settings.psi and self.p < settings.level / 100 / tests


@dataclass(frozen=True)
class Device:
    """What is found for the videos of one device.

    Attributes:
        name: the device.
        videos: number of its videos.
        fitted: their comparison with the best mixture; None if there are too few.
        drift: True if no mixture explains them.
    """

    name: str
    videos: int
    fitted: Comparison | None
    drift: bool


@dataclass(frozen=True)
class Drift:
    """What production scores say.

    Attributes:
        verdict: `nothing to say` (too few videos), `no drift`, `mix or drift` (another share of attacks than
            the usual one explains them), or `drift` (no share explains those of all videos or of a device).
        sentence: the verdict with its figures.
        videos: number of videos in production.
        reference: what they are compared with.
        plain: comparison with the mixture of the usual share of attacks; None if there are too few videos.
        fitted: comparison with the mixture that fits best; None likewise.
        near: shares of videos near the threshold, `below` and `above`, and what the mixture expects,
            `expected_below` and `expected_above`; empty if there are too few.
        devices: by number of videos, falling; empty if no table names devices.
        notes: sentences about tables that were left out, or whose model is not known.
        blind: what this comparison cannot see, in sentences.
    """

    verdict: Verdict
    sentence: str
    videos: int
    reference: str
    plain: Comparison | None
    fitted: Comparison | None
    near: dict[str, float]
    devices: tuple[Device, ...]
    notes: tuple[str, ...]
    blind: tuple[str, ...] = BLIND

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON can represent."""
        return asdict(self)


def measure(
    production: Production, reference: Reference, settings: Settings, usual: float | None = None
) -> Drift:
    """Compare production with the reference, as a whole and by device.

    Args:
        production: one score for each video.
        reference: the champion's scores of videos with known labels.
        settings: from how many videos on, and from which differences on, something is said.
        usual: share of attacks that production is known to have, such as that of an earlier comparison; that of
            the reference if not given. Another share is a change of the mix.
    """
    score, count, notes = production.score, len(production.score), _notes(production)
    if count < settings.least_videos:
        said = f"nothing to say, {count} videos, {settings.least_videos} needed"
        return Drift("nothing to say", said, count, reference.what, None, None, {}, (), notes)
    fitted = compare(score, reference, attack_share(score, reference))
    before = reference.share if usual is None else usual
    plain = compare(score, reference, before)
    devices = _devices(production, reference, settings)
    moved = ", ".join(device.name for device in devices if device.drift)
    share, own = (f"{100 * value:.0f} %" for value in (fitted.attack_share, before))
    figures = f"PSI {fitted.psi:.2f}, KS {fitted.ks:.2f}, p {fitted.p:.1g}, {count} videos"
    verdict: Verdict = "no drift"
    if fitted.fires(settings) or moved:
        verdict = "drift"
        where = f" of device {moved}" if moved else ""
        said = f"the scores{where} are those of no mixture of live videos and attacks of {reference.what}"
    elif plain.fires(settings):
        verdict = "mix or drift"
        said = f"with {share} of attacks the difference is below the limits, with the usual {own} it is not"
    else:
        said = f"the scores are those of {reference.what}"
    said = f"{verdict}: {said} (all videos against the best mixture, with {share} of attacks: {figures})"
    near = _near(score, reference, fitted.attack_share, settings.near)
    return Drift(verdict, said, count, reference.what, plain, fitted, near, devices, notes)


def attack_share(score: NDArray[np.float64], reference: Reference) -> float:
    """Return the share of attacks with which the mixture fits N scores best, in [0, 1].

    The summed squared distance of the distribution functions at all scores of the reference is least at
    a = Σ (G − F_live)(F_attack − F_live) / Σ (F_attack − F_live)², clipped to [0, 1].
    """
    at = np.concatenate([reference.live, reference.attack])
    live, attack, found = (_below(sample, at) for sample in (reference.live, reference.attack, np.sort(score)))
    apart = attack - live
    square = float(apart @ apart)
    return float(np.clip((found - live) @ apart / square, 0, 1)) if square else reference.share


def compare(score: NDArray[np.float64], reference: Reference, share: float) -> Comparison:
    """Compare N scores with the mixture of the reference that has this share of attacks.

    The p-value is that of two samples, of n and N videos, where 1/N = (1 − a)²/n_live + a²/n_attack: a mixture
    is as uncertain as a sample of at least N videos. That a was fitted makes the test say less, not more.
    """
    from scipy import stats

    score, count = np.sort(score), len(score)
    size = 1 / ((1 - share) ** 2 / len(reference.live) + share**2 / len(reference.attack))
    at = np.unique(np.concatenate([reference.live, reference.attack, score]))
    distance = float(np.abs(_below(score, at) - _mixed(reference, share, at)).max())
    p = float(stats.kstwo.sf(distance, max(1, round(count * size / (count + size)))))
    psi, bins = _psi(score, reference, share, size)
    return Comparison(share, psi, (bins - 1) * (1 / count + 1 / size), distance, p)


def _psi(score: NDArray[np.float64], reference: Reference, share: float, size: float) -> tuple[float, int]:
    """Return the index over bins between quantiles of the mixture, and the number of bins.

    Half a video is added to each bin, so that an empty one does not make the index infinite.
    """
    every = np.unique(np.concatenate([reference.live, reference.attack]))
    risen = _mixed(reference, share, every)
    quantiles = np.arange(1, BINS) / BINS
    edges = np.unique(every[np.minimum(np.searchsorted(risen, quantiles), len(every) - 1)])
    risen_at = (_mixed(reference, share, edges), _below(score, edges))
    expected, found = (np.diff(below, prepend=0, append=1) for below in risen_at)
    bins = len(edges) + 1
    p = (found * len(score) + 0.5) / (len(score) + 0.5 * bins)
    q = (expected * size + 0.5) / (size + 0.5 * bins)
    return float(((p - q) * np.log(p / q)).sum()), bins


def _below(sample: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distribution function of a sorted sample: the share of it that is ≤ each value."""
    return np.searchsorted(sample, at, side="right") / len(sample)


def _mixed(reference: Reference, share: float, at: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1 - share) * _below(reference.live, at) + share * _below(reference.attack, at)


def _near(score: NDArray[np.float64], reference: Reference, share: float, distance: float) -> dict[str, float]:
    """Return the shares of videos within a distance below and above the threshold, found and expected."""
    at = reference.threshold

    def sides(sample: NDArray[np.float64]) -> tuple[float, float]:
        below, above = (sample >= at - distance) & (sample < at), (sample >= at) & (sample <= at + distance)
        return float(below.mean()), float(above.mean())

    found, live, attack = sides(score), sides(reference.live), sides(reference.attack)
    expected = [(1 - share) * one + share * other for one, other in zip(live, attack, strict=True)]
    names = ("below", "above", "expected_below", "expected_above")
    return dict(zip(names, (*found, *expected), strict=True))


def _devices(production: Production, reference: Reference, settings: Settings) -> tuple[Device, ...]:
    """Compare the videos of each device, which may have its own share of attacks."""
    names, counts = np.unique(production.device[production.device != ""].astype(str), return_counts=True)
    tests = 1 + int((counts >= settings.least_videos).sum())  # with that of all videos
    found = []
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        fitted = None
        if count >= settings.least_videos:
            score = production.score[production.device == name]
            fitted = compare(score, reference, attack_share(score, reference))
        drift = fitted is not None and fitted.fires(settings, tests)
        found.append(Device(name, count, fitted, drift))
    return tuple(sorted(found, key=lambda device: (-device.videos, device.name)))


def _notes(production: Production) -> tuple[str, ...]:
    notes = []
    if production.other_model:
        notes.append(
            f"{len(production.other_model)} tables are left out, because another model gave their scores, such "
            f"as {production.other_model[0]}"
        )
    if production.unknown_model:
        notes.append(
            f"{production.unknown_model} tables do not say which model gave their scores; they are taken for "
            "the champion's"
        )
    return tuple(notes)
