"""Decide whether a challenger is to be trained, and say why or why not. No Ray, torch or MLflow is imported.

New labelled data, new code or a new configuration is a reason. Age and drift are none; they lower the number of
new videos that is one. The same data, code and configuration are not trained again, unless that is forced.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.digests import digest
from rfmeta_dist.data.shards.batches import batches_of
from rfmeta_dist.retrain import attempts, states
from rfmeta_dist.retrain.attempts import Asked, Attempt
from rfmeta_dist.retrain.frozen import reviewed
from rfmeta_dist.retrain.known import NOTHING, Known
from rfmeta_dist.retrain.states import New, States
from rfmeta_dist.runs import starts
from rfmeta_dist.runs.fingerprint import fingerprint
from rfmeta_dist.storage.store import open_store

Act = Literal["train", "continue", "nothing"]
OVERTAKEN = "overtaken"  # outcome of an attempt that was compared with a champion that another one replaced
ABANDONED = "abandoned"  # outcome of an attempt that cannot go on, because its data or configuration is gone
STOPPED = "stopped"  # outcome of an attempt whose new data was refused before the training
NO_TRIES = (OVERTAKEN, ABANDONED)  # outcomes that do not say how good the challenger is
JUDGED = ("refused", "undecided", "approve")  # outcomes after which the champion is still the same


@dataclass(frozen=True)
class Seen:
    """What the decision is made from.

    Attributes:
        states: the newest states of the domains.
        champion: `number`, `attempt`, `since` and `decided` of the champion; None if there is none.
        of_champion: the attempt that trained it.
        earlier: all attempts that ended, in their order.
        open: an attempt that has begun and not ended.
        quarantined: identities and `domain/batch` names that a rollback has put in quarantine.
        drifted: what the drift watch said if scores have drifted; "" otherwise.
        age_days: age of the champion; 0 without one.
    """

    states: States
    champion: Mapping[str, Any] | None
    of_champion: Attempt | None
    earlier: Sequence[Attempt]
    open: Attempt | None
    quarantined: Collection[str] = ()
    drifted: str = ""
    age_days: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What is to be done, and why.

    Attributes:
        act: train a new attempt, continue one that was interrupted, or do nothing.
        reasons: what speaks for it, as sentences.
        notes: what a user should know besides, as sentences.
        attempt: the attempt to continue.
        asked: what a new attempt is to train.
        known: the samples of a new attempt.
        new: what is new to the champion; None if an attempt is continued, because nothing is counted then.
    """

    act: Act
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    attempt: Attempt | None = None
    asked: Asked | None = None
    known: Known = NOTHING
    new: New | None = None


def see(
    config: Retraining, champion: Mapping[str, Any] | None, quarantined: Collection[str], drifted: str
) -> Seen:
    """Read what the decision is made from.

    Args:
        config: the retraining.
        champion: `number`, `attempt`, `since` (time in UTC) and `decided` of the champion, or None.
        quarantined: identities and `domain/batch` names that a rollback has put in quarantine.
        drifted: what the drift watch said if scores have drifted; "" otherwise.

    Raises:
        DataError: a domain is missing or damaged.
        RunError: an attempt is damaged.
        StorageError: a store cannot be read.
    """
    store = open_store(config.place)
    found = attempts.attempts(store)
    ended = [attempt for attempt in found if attempt.outcome is not None]
    running = [attempt for attempt in found if attempt.outcome is None]
    return Seen(
        states=states.newest(config),
        champion=champion,
        of_champion=Attempt(open_store(champion["attempt"])) if champion else None,
        earlier=ended,
        open=running[-1] if running else None,
        quarantined=quarantined,
        drifted=drifted,
        age_days=_days(champion["since"]) if champion else 0.0,
    )


def decide(config: Retraining, seen: Seen, *, forced: bool = False) -> Decision:
    """Decide what is to be done.

    Args:
        config: the retraining.
        seen: what it is decided from.
        forced: True to try data, code and configuration again that were tried before.
    """
    if seen.open is not None:
        why = f"attempt {seen.open.asked.number} was interrupted and is continued"
        return Decision("continue", (why,), attempt=seen.open)
    code, configuration = starts.code(), digest_of(config)
    if seen.of_champion is None:
        new, reasons = New(), ["there is no champion yet, so a first model is trained"]
        notes: list[str] = []
    else:
        new, reasons, notes = _news(config, seen, seen.of_champion, code, configuration)
    notes = [*seen.states.left_out, *notes]
    if not reasons and not forced:
        return Decision("nothing", (), tuple(notes), new=new)
    if blocked := sorted(_names(new) & set(seen.quarantined)):
        notes.append(
            f"nothing is trained while the data has batch {blocked[0]}, which the rollback put in quarantine; "
            f"take it out with: rfmeta shards retract {seen.states.store.url} {blocked[0].replace('/', ' ')}"
        )
        return Decision("nothing", (), tuple(notes), new=new)
    known = Known.of(seen.states.manifests().values())
    batches = {name: sorted(found) for name, head in seen.states.heads.items() if (found := batches_of(head))}
    # A review makes videos count that did not, so the gate may decide otherwise than before.
    checked = {(domain, name) for domain, name in reviewed(seen.states.heads.values()) if name}
    alike = [
        attempt
        for attempt in seen.earlier
        if (attempt.asked.code, attempt.asked.configuration) == (code, configuration)
        and checked <= {(domain, name) for domain, name in attempt.asked.reviewed}
        and (attempt.outcome or {}).get("outcome") not in NO_TRIES
    ]
    # Erasing a person leaves the batch; retracting a batch is a change.
    tried = [one for one in alike if one.asked.batches == batches and one.known.covers(known)]
    against = _tried(tried[-1]) if tried else _too_soon(config, seen, alike, batches)
    if against and not forced:
        return Decision("nothing", (), (*notes, against), new=new)
    asked = Asked(
        number=max((a.asked.number for a in seen.earlier), default=0) + 1,
        reasons=tuple(reasons or ["--force asks for another try"]),
        pins=seen.states.pins,
        code=code,
        configuration=configuration,
        champion=None if seen.champion is None else dict(seen.champion),
        forced=len(tried),
        seed=config.base.training.seed + len(tried),
        batches=batches,
        new_batches=new.batches,
        reviewed=tuple(sorted(checked)),
        started=attempts.now(),
    )
    return Decision("train", asked.reasons, tuple(notes), asked=asked, known=known, new=new)


def digest_of(config: Retraining) -> str:
    """Return a hash of the fields that the weights of a challenger depend on, beside data and code."""
    whole = [fingerprint(config.base, {}), config.challenger.model_dump(mode="json")]
    return digest(json.dumps(whole, sort_keys=True).encode())


def _news(
    config: Retraining, seen: Seen, champion: Attempt, code: str, configuration: str
) -> tuple[New, list[str], list[str]]:
    """Return what is new to the champion, the reasons to train a challenger, and notes."""
    asked, watch = champion.asked, config.watch
    new = states.new_to(champion.known, asked.pins, seen.states)
    old = watch.age_days is not None and seen.age_days >= watch.age_days
    needed = _needed(config, seen)
    reasons, notes = (
        [],
        [f"{batch} has {n} new videos, but nobody has reviewed it" for batch, n in new.waiting.items()],
    )
    if old:
        notes.append(f"the champion is {seen.age_days:.0f} days old, so {needed} new videos suffice")
    if seen.drifted:
        notes.append(f"{seen.drifted}, so {needed} new videos suffice")
    if new.videos >= needed:
        reasons.append(f"{new.videos:,} new videos have landed")
    elif new.videos or not new.waiting:
        notes.append(f"{new.videos:,} new videos have landed; a challenger is trained from {needed:,} on")
    reasons += [
        f"the attack type {kind} is new: {n:,} videos"
        for kind, n in new.new_types.items()
        if n >= watch.least_of_type
    ]
    reasons += [f"the domain {name} is new" for name in seen.states.heads if name not in asked.pins]
    if code != asked.code:
        reasons.append(f"the code is new: {code}, and the champion was trained by {asked.code}")
    if configuration != asked.configuration:
        reasons.append("the configuration is another than the champion's")
    return new, reasons, notes


def _too_soon(
    config: Retraining, seen: Seen, alike: Sequence[Attempt], batches: Mapping[str, Sequence[str]]
) -> str:
    """Return why it is too soon to challenge the champion again; "" if it is not.

    The gate errs in a small share of its verdicts. If it judged every night on a few more videos, it would err
    sooner or later. So after a verdict that promoted nobody, the next challenger needs as much new data again.
    """
    failed = [
        attempt
        for attempt in alike
        if (attempt.outcome or {}).get("outcome") in JUDGED
        and (attempt.asked.champion or {}).get("decided") == (seen.champion or {}).get("decided")
        and all(set(names) <= set(batches.get(domain, ())) for domain, names in attempt.asked.batches.items())
    ]
    if seen.champion is None or not failed:
        return ""
    last, watch = failed[-1], config.watch
    new = states.new_to(last.known, last.asked.pins, seen.states)
    needed = _needed(config, seen)
    enough = new.videos >= needed or any(n >= watch.least_of_type for n in new.new_types.values())
    if enough or not set(seen.states.heads) <= set(last.asked.pins):
        return ""
    outcome = (last.outcome or {}).get("outcome")
    return (
        f"since attempt {last.asked.number} ({outcome}), {new.videos:,} new videos have landed; the next "
        f"challenger is trained from {needed:,} on. To train it now, add --force"
    )


def _needed(config: Retraining, seen: Seen) -> int:
    """Return how many new videos are a reason."""
    watch = config.watch
    fewer = seen.drifted or (watch.age_days is not None and seen.age_days >= watch.age_days)
    return -(-watch.least_videos // 2) if fewer else watch.least_videos


def _names(new: New) -> set[str]:
    return {f"{domain}/{batch}" for domain, names in new.batches.items() for batch in names}


def _tried(attempt: Attempt) -> str:
    told = attempt.outcome or {}
    return (
        f"this data, code and configuration were tried on {str(told.get('ended'))[:10]} (attempt "
        f"{attempt.asked.number}: {told.get('outcome')}); to try again with another seed, add --force"
    )


def _days(since: str) -> float:
    return (datetime.fromisoformat(attempts.now()) - datetime.fromisoformat(since)).total_seconds() / 86400
