"""Write generated domains as video clips on Ray, named and annotated like the data sets that they imitate."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import ray

from rfmeta_dist.cluster.room import workers_for
from rfmeta_dist.cluster.synth import in_parallel
from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.seeds import permutation
from rfmeta_dist.core.types import SPLITS
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.filming.recording import Video
from rfmeta_dist.synth.output.annotations import lists
from rfmeta_dist.synth.output.clip import Clip, write, write_text

CONTRACT = ".contract.json"  # begins with a dot, so that ingest ignores the file


def clips_of(videos: Sequence[Video], seconds: float) -> list[Clip]:
    """Return the clips to film for a domain, with file names of the data set that its card imitates.

    Each person and recording gets a name of the same split and attack type in that data set. If the data set
    has fewer names than the plan has recordings, the remaining recordings are not filmed.

    Args:
        videos: the domain's plan.
        seconds: length of each clip.
    """
    card = videos[0].card
    layout = LAYOUTS[card.layout]
    if not isinstance(layout, NamedLayout):
        return [_own(replace(video, seconds=seconds)) for video in videos]
    people = _people(layout, card.name, videos[0].seed)
    clips, taken = [], dict[tuple[str, str], int]()
    for number, video in _numbered(videos):
        kind = video.subject, video.attack_type
        names = (
            people[video.split][number].get(video.attack_type, ()) if number < len(people[video.split]) else ()
        )
        index = taken[kind] = taken.get(kind, -1) + 1
        if index < len(names):
            clips.append(_named(replace(video, seconds=seconds), names[index]))
    return clips


def _numbered(videos: Sequence[Video]) -> Iterator[tuple[int, Video]]:
    """Yield each video with the number of its subject within the split, counted from 0."""
    for split in SPLITS:
        people = dict.fromkeys(video.subject for video in videos if video.split == split)
        order = {subject: number for number, subject in enumerate(people)}
        yield from ((order[video.subject], video) for video in videos if video.split == split)


def _people(layout: NamedLayout, domain: str, seed: int) -> dict[str, list[dict[str, list[Recording]]]]:
    """Return for each split a list of people: the data set's recordings by attack type, in a random order."""
    named = (layout.read(name, domain) for name in (layout.names or list)())
    people: dict[str, dict[str, list[Recording]]] = {split: {} for split in SPLITS}
    for recording in filter(None, named):
        people[recording.split].setdefault(recording.subject, []).append(recording)
    return {
        split: [_by_kind(own, seed, subject) for subject, own in theirs.items()]
        for split, theirs in people.items()
    }


def _by_kind(recordings: list[Recording], seed: int, subject: str) -> dict[str, list[Recording]]:
    kinds: dict[str, list[Recording]] = {}
    for index in permutation(len(recordings), seed, "names", subject).tolist():
        kinds.setdefault(recordings[index].attack_type, []).append(recordings[index])
    return kinds


def _named(video: Video, recording: Recording) -> Clip:
    card = _narrowed(video.card, recording)
    name = recording.video.removeprefix(f"{recording.domain}-")
    return Clip(recording.path, replace(video, card=card, name=name), turned=recording.rotation == 180)


def _narrowed(card: Domain, recording: Recording) -> Domain:
    """Return the card reduced to the camera, session and instrument that the recording's name refers to."""
    condition = {recording.condition, *re.split("[-_]", recording.condition)}

    def told(parts: tuple[Any, ...], *words: set[str]) -> tuple[Any, ...]:
        """Return the parts that the first fitting set of words names; all parts if none fits."""
        named = (tuple(part for part in parts if part.name in some) for some in words)
        return next(filter(None, named), parts)

    return replace(
        card,
        cameras=told(card.cameras, {recording.device, recording.condition})[:1],
        sessions=told(card.sessions, {recording.session}, condition),
        papers=told(card.papers, condition),
        screens=told(card.screens, condition),
    )


def _own(video: Video) -> Clip:
    """Return the clip of a recording whose domain imitates no data set."""
    number = permutation(len(video.card.cameras), video.seed, video.name)[0]
    card = replace(video.card, cameras=(video.card.cameras[number],))
    return Clip(f"{video.split}/{video.subject}/{video.name}.mp4", replace(video, card=card))


def film_clips(
    root: Path,
    clips: Sequence[Clip],
    contract: Mapping[str, Any],
    workers: int | None,
    on_done: Callable[[int, int], None],
) -> None:
    """Film and write the clips of one domain, with one task for each person. Existing clips are kept.

    Args:
        root: the data set's folder, on a disk that all machines share.
        clips: from `clips_of`.
        contract: all settings that the clips depend on, as JSON-able values.
        workers: number of parallel tasks, each with one CPU; all CPUs of the cluster if None.
        on_done: called with the number of finished frames and the number of all frames.

    Raises:
        DataError: the folder holds clips of another contract.
        StorageError: the folder cannot be written. The same call continues where this one stopped.
    """
    _claim(root, contract)
    pending = [clip for clip in clips if not (root / clip.path).exists()]
    total = sum(clip.frames for clip in clips)
    finished = total - sum(clip.frames for clip in pending)
    on_done(finished, total)
    layout = clips[0].video.card.layout
    for frames in _filmed(root, pending, workers_for("filming", workers)):
        finished += frames
        on_done(finished, total)
    for path, text in [*lists(layout, [clip.path for clip in clips]), *_table(clips)]:
        write_text(root / path, text)


def _claim(root: Path, contract: Mapping[str, Any]) -> None:
    """Write the contract into the folder, so that clips of different settings are never mixed in it."""
    path, text = root / CONTRACT, json.dumps(contract, sort_keys=True, indent=1)
    with _writable(root):
        if not path.exists():
            write_text(path, text)
        elif path.read_text(encoding="utf-8") != text:
            raise DataError(
                f"{root} holds clips made with other settings or by another version, which cannot be mixed",
                "give another folder, or delete this one",
            )


@contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{root} cannot be written: {error.strerror or error}",
            "check its owner, its mode and the space on its disk, or give another folder",
        ) from error


def _table(clips: Sequence[Clip]) -> Iterator[tuple[str, str]]:
    """Yield labels.csv for `rfmeta ingest folder`, if the domain imitates no data set."""
    if clips[0].video.card.layout != "folder":
        return
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "label", "attack_type", "subject", "video", "split"])
    for clip in clips:
        video, live = clip.video, clip.video.attack_type == "live"
        label = "live" if live else "attack"
        rows.writerow([clip.path, label, video.attack_type, video.subject, video.name, video.split])
    yield "labels.csv", text.getvalue()


def _filmed(root: Path, clips: Sequence[Clip], workers: int) -> Iterator[int]:
    people = (list(group) for _, group in groupby(clips, key=lambda clip: clip.video.subject))
    yield from in_parallel(people, lambda person: _film.remote(person, root), workers)


@ray.remote(num_cpus=1, num_returns="streaming")  # type: ignore[untyped-decorator]
def _film(person: list[Clip], root: Path) -> Iterator[int]:
    """Write the clips of one person, and yield the number of frames of each."""
    import cv2

    cv2.setNumThreads(1)  # a task has one CPU
    for clip in person:
        with _writable(root):
            write(clip, root)
        yield clip.frames
