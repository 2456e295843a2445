"""Check what is started at set times: CronJob and RayCronJob."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import pods

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every (\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+", re.ASCII)


def times(manifest: Place) -> Iterator[Remark]:
    """Check schedule and timeZone as robfig/cron does, which Kubernetes and KubeRay use."""
    if manifest.at("kind").value not in ("CronJob", "RayCronJob"):
        return
    schedule, zone = manifest.at("spec", "schedule"), manifest.at("spec", "timeZone")
    if "TZ" in schedule.text:
        yield schedule.error("a schedule has no time zone", "remove TZ=…, and give it in timeZone")
    elif isinstance(schedule.value, str) and (wrong := _wrong(schedule.text)):
        yield schedule.error(wrong, 'write five fields, such as "15 2 * * *" for a quarter past two each night')
    if zone.text and _exists("Europe/London") and not _exists(zone.text):
        yield zone.error("this time zone does not exist", "give a name such as Etc/UTC or Europe/Berlin")


def _exists(zone: str) -> bool:
    """Return whether this machine knows a time zone. A small container image knows none."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return zone == "Local"
    return True


def _wrong(schedule: str) -> str | None:
    """Return what is wrong with a schedule; None if nothing is."""
    if schedule.startswith("@"):
        known = schedule in _NAMED or _EVERY.fullmatch(schedule)
        return None if known else "the schedule has an unknown name after @"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"the schedule has {len(fields)} fields instead of 5"
    for text, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        if not all(_part(part, low, high, words) for part in text.split(",")):
            return f"the schedule's {name} is not understood"
    return None


def _part(part: str, low: int, high: int, words: Sequence[str]) -> bool:
    """Return whether one part of a field, such as 1-5/2, is in range."""
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    start, dash, end = span.partition("-")
    first, last = _number(start, low, words), _number(end, low, words) if dash else high
    return first is not None and last is not None and low <= first <= last <= high


def _number(text: str, low: int, words: Sequence[str]) -> int | None:
    if text.lower() in words:
        return words.index(text.lower()) + low
    return int(text) if text.isdecimal() and len(text) < 4 else None


def submissions(manifest: Place) -> Iterator[Remark]:
    """Check that a CronJob which submits jobs does not start the next while the last still runs.

    `concurrencyPolicy: Forbid` looks at the pod of the CronJob. With --detach the pod ends at once and the job
    runs on, so Forbid then prevents nothing.
    """
    if manifest.at("kind").value != "CronJob":
        return
    policy = manifest.at("spec", "concurrencyPolicy")
    for pod in pods(manifest):
        for container in pod.containers():
            words = _words(container)
            if "submit" not in words or not {"rfmeta", "ray"} & set(words):
                continue
            place = container.at("args") if container.at("args").given else container.at("command")
            detached = "--detach" in words or "--no-wait" in words
            if detached:
                yield place.risk(
                    "the pod ends at once and the job runs on, so concurrencyPolicy: Forbid prevents nothing",
                    "remove --detach or --no-wait, so that the pod follows the job",
                )
            elif policy.value != "Forbid":
                there = policy if policy.given else manifest.at("spec")
                yield there.risk(
                    "the next job may start while the last still runs", "set concurrencyPolicy: Forbid"
                )


def _words(container: Place) -> list[str]:
    """Return all words of a container's command, those of `sh -c "…"` included, without folders."""
    texts = [item.text for name in ("command", "args") for item in container.at(name).items()]
    return [word.rsplit("/", 1)[-1].strip("'\"") for text in texts for word in text.split()]
