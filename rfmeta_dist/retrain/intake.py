"""Check new data before a challenger is trained on it. docs/explanation/intake.md says what is found, and when.

    findings = check(arrived, judged, stored_images(store))
    if refused(findings): …

Nothing here reads a store, except for the function that is given to read images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.data.shards.manifest import CLASSES
from rfmeta_dist.evaluation.scores import coded
from rfmeta_dist.retrain.arrivals import DEVICE, SHOWN, Arrived, Finding, listed, named
from rfmeta_dist.retrain.contradicted import LEAST, TOLERATED, Evidence, weigh
from rfmeta_dist.retrain.copies import copies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.retrain.alike import Images

    Mask = NDArray[np.bool_]

OWN = 20  # people, live and attacked, from which on a domain's own frozen set says what is usual
MANY_TIMES = 10  # one attack type at so many times all others is warned of


@dataclass(frozen=True)
class Judged:
    """What the champion says.

    Attributes:
        new: its scores of the new samples, frames or videos, of all splits.
        frozen: its scores of the frozen set.
        threshold: the champion's threshold for videos: a video is accepted as live if its score ≥ threshold.
    """

    new: Scores
    frozen: Scores
    threshold: float


def check(arrived: Sequence[Arrived], judged: Judged | None, images: Images | None) -> list[Finding]:
    """Return what is to be said about new data, the most severe first.

    Args:
        arrived: the current state of each domain, with marks of the new samples.
        judged: the champion's scores; None if there is no champion, so that no labels can be judged.
        images: reads encoded images (`alike.stored_images`); None to find only images that are equal.

    Raises:
        DataError: an image is damaged, the frames of a video have different labels, or what is known about a
            sample cannot be read.
        StorageError: a shard cannot be read.
    """
    seen = _seen_devices(arrived)
    found = [*copies(arrived, images)]
    for one in arrived:
        for batch, rows in one.batches().items():
            found += _subjects(one, batch, rows)
            found += _classes(one, batch, rows)
            found += _cameras(one, batch, rows, seen)
        found += _attacks(one)
    if judged is not None:
        found += _labels(arrived, judged, seen)
    order = ("refuse", "warn", "note")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def refused(findings: Iterable[Finding]) -> bool:
    """Return True if a finding says that nothing may be trained on this data."""
    return any(finding.severity == "refuse" for finding in findings)


def _subjects(one: Arrived, batch: str, rows: Mask) -> Iterator[Finding]:
    """Find people of a batch who are in two splits of the domain. People are named per domain."""
    subject, split = one.column("subject_id"), one.column("split")
    people = set(subject[rows].tolist())
    splits: dict[str, set[str]] = {}
    for name, part in set(zip(subject.tolist(), split.tolist(), strict=True)):
        if name in people:
            splits.setdefault(name, set()).add(part)
    several = sorted(name for name, parts in splits.items() if len(parts) > 1)
    if several:
        words = (
            f"{named(one.domain, batch)} shows {len(several)} people who are in several splits of the domain: "
            f"{listed(several)}. A person belongs to one split, or the model is judged on people whom it was "
            "trained on: give the batch again with these people in the split that they had"
        )
        shown = {name: sorted(splits[name]) for name in several[:SHOWN]}
        yield Finding(
            "subjects", "refuse", one.domain, batch, f"{words}.", {"people": len(several), "splits": shown}
        )


def _classes(one: Arrived, batch: str, rows: Mask) -> Iterator[Finding]:
    """Find a batch of one class, and a domain that cannot be trained on."""
    import numpy as np

    label = one.manifest.samples["label"].to_numpy()
    has = set(np.unique(label[one.column("split") == "train"]).tolist())
    absent = [CLASSES[number] for number in (0, 1) if number not in has]
    if absent:
        words = (
            f"domain {one.domain} has no {' and no '.join(absent)} samples to train on, and each training "
            "batch is half live, half attacks: add samples of that class, or leave the domain out of "
            "base.data.sources"
        )
        yield Finding("classes", "refuse", one.domain, batch, f"{words}.", {"absent_in_train": absent})
        return
    mine = np.unique(label[rows]).tolist()
    if len(mine) == 1:
        words = (
            f"{named(one.domain, batch)} has {int(rows.sum())} {CLASSES[mine[0]]} samples and no others. That "
            "is normal, because the domain has the other class already; there is nothing to do"
        )
        yield Finding("classes", "note", one.domain, batch, f"{words}.", {"class": CLASSES[mine[0]]})


def _seen_devices(arrived: Sequence[Arrived]) -> set[str]:
    """Return what recorded the samples that are not new, in any domain."""
    return {device for one in arrived for device in set(one.devices()[~one.new].tolist()) if device}


def _unseen(one: Arrived, rows: Mask, seen: set[str]) -> list[str]:
    return sorted({device for device in one.devices()[rows].tolist() if device} - seen)


def _cameras(one: Arrived, batch: str, rows: Mask, seen: set[str]) -> Iterator[Finding]:
    unseen = _unseen(one, rows, seen)
    if not unseen:
        return
    device = one.devices()
    counts = {}
    for name in unseen:
        mine = rows & (device == name)
        counts[name] = {
            "videos": len(set(one.column("video_id")[mine].tolist())),
            "people": len(set(one.column("subject_id")[mine].tolist())),
        }
    each = [f"{name} ({n['videos']} videos of {n['people']} people)" for name, n in counts.items()]
    words = (
        f"{named(one.domain, batch)} was recorded with cameras that the champion's data does not "
        f"have: {listed(each)}. Their error rates are listed as slices of their own; look whether both classes "
        "were recorded with each, or the model learns the camera instead of the attack"
    )
    slices = [{"attribute": DEVICE, "value": name, **n} for name, n in counts.items()]
    yield Finding("cameras", "warn", one.domain, batch, f"{words}.", {"slices": slices})


def _attacks(one: Arrived) -> Iterator[Finding]:
    """Find a type with new videos that outnumbers all other attacks of the domain's training split."""
    kind, video, batch = (one.column(name) for name in ("attack_type", "video_id", "batch"))
    rows = (one.column("split") == "train") & (kind != LIVE)
    videos: dict[str, int] = {}
    for name, _ in set(zip(kind[rows].tolist(), video[rows].tolist(), strict=True)):
        videos[name] = videos.get(name, 0) + 1
    for name, number in sorted(videos.items()):
        others = sum(videos.values()) - number
        new = rows & one.new & (kind == name)
        if others and number >= MANY_TIMES * others and new.any():
            share = number / (number + others)
            words = (
                f"domain {one.domain} now has {number} training videos of attack type {name}, and {others} of "
                f"all other types together. Attacks are drawn by number, so {share:.0%} of those in a training "
                "batch are of this type: take fewer of its videos into the batch"
            )
            facts = {"type": name, "videos": number, "others": others}
            names = sorted(set(batch[new].tolist()))
            yield Finding("attacks", "warn", one.domain, names[-1], f"{words}.", facts | {"batches": names})


def _labels(arrived: Sequence[Arrived], judged: Judged, seen: set[str]) -> Iterator[Finding]:
    import numpy as np

    new, frozen = judged.new.per_video(), judged.frozen.per_video()
    for one in arrived:
        mine = new.select(new.domain == one.domain)
        own = frozen.select(frozen.domain == one.domain)
        usual = own if all(_people(own, label) >= OWN for label in (0, 1)) else frozen
        for batch, rows in one.batches().items():
            videos = set(one.column("video_id")[rows].tolist())
            scores = mine.select(np.array([video in videos for video in mine.video.tolist()], bool))
            elsewhere = len(own) == 0 or bool(_unseen(one, rows, seen))
            yield from _of_batch(one.domain, batch, scores, usual, judged.threshold, elsewhere)


def _people(scores: Scores, label: int) -> int:
    return len(coded(scores.subject[scores.label == label])[0])


def _of_batch(
    domain: str, batch: str, scores: Scores, usual: Scores, threshold: float, elsewhere: bool
) -> Iterator[Finding]:
    evidence = weigh(scores, usual, threshold)
    facts: dict[str, Any] = {"elsewhere": elsewhere, **evidence.facts()}
    if evidence.live is None:
        words = (
            f"the labels of {named(domain, batch)} were not judged by the champion: it takes {LEAST} people "
            f"with live videos (there are {_people(scores, 1)}), and a champion that is better than chance"
        )
        yield Finding("labels", "note", domain, batch, f"{words}.", facts)
    severity = evidence.severity(elsewhere)
    if severity:
        facts |= _contradicted(scores, threshold)
        words = _told(domain, batch, evidence, facts, severity == "refuse")
        yield Finding("labels", "refuse" if severity == "refuse" else "warn", domain, batch, words, facts)


def _contradicted(scores: Scores, threshold: float) -> dict[str, list[str]]:
    """Return the videos whose labels the champion contradicts the most, by their label."""
    import numpy as np

    found = {}
    for label, name in enumerate(CLASSES):
        distance = (threshold - scores.score) * (1 if label else -1)
        rows = np.flatnonzero((scores.label == label) & (distance > 0))
        found[name] = scores.key[rows[np.argsort(-distance[rows], kind="stable")]][:SHOWN].tolist()
    return {f"look_at_{name}": keys for name, keys in found.items()}


def _told(domain: str, batch: str, evidence: Evidence, facts: dict[str, Any], refuse: bool) -> str:
    """Return the sentences of a finding about labels."""
    parts = []
    if evidence.live:
        part = evidence.live
        parts.append(f"it rejects {part.rate:.0%} of the live videos (usual: {part.usual:.0%})")
    if evidence.attack:
        part = evidence.attack
        parts.append(f"accepts {part.rate:.0%} of the attacks of types that it knows (usual: {part.usual:.0%})")
    if evidence.order:
        part = evidence.order
        parts.append(
            f"and tells live videos from attacks with an AUC of {part.rate:.2f} (usual: {part.usual:.2f})"
        )
    what = f"the champion contradicts labels of {named(domain, batch)}: {', '.join(parts)}"
    look = listed([*facts["look_at_live"], *facts["look_at_attack"]])
    if refuse:
        agreed = evidence.order or evidence.live
        share = max(0.0, min(1.0, agreed.value)) if agreed else 0.0
        return (
            f"{what}. About {share:.0%} of the labels look wrong; a camera that moves scores or a new attack "
            f"does not explain that. Look at {look}, correct the labels, and give the batch again."
        )
    if evidence.live and evidence.live.low > TOLERATED:
        why = "a new camera does that, and so do attacks labelled as live"
    else:
        why = "attacks that it cannot see yet do that, and so do live videos labelled as attacks"
    return f"{what}. {why[0].upper()}{why[1:]}: look at {look} before this batch counts as reviewed."
