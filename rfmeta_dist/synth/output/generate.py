"""Generate samples: plan which recordings a domain has, then render the encoded crops and labels of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.about import to_text
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.seeds import seed as seed_of
from rfmeta_dist.core.types import LIVE, Sample, Split
from rfmeta_dist.synth.domains.card import DOMAINS, find_domain
from rfmeta_dist.synth.domains.domain import PRINTED, Domain
from rfmeta_dist.synth.domains.identities import Identity, MadeUp, cast
from rfmeta_dist.synth.domains.scale import Scale
from rfmeta_dist.synth.filming.film import film
from rfmeta_dist.synth.filming.nuisances import Take, disturb, flicker
from rfmeta_dist.synth.filming.recording import Video, pick
from rfmeta_dist.synth.imaging.codec import Pixels, encode_jpeg
from rfmeta_dist.synth.optics.camera import see, set_up
from rfmeta_dist.synth.optics.framing import FACE_UNIT_MM, Framing, draw_framing
from rfmeta_dist.synth.optics.sensor import capture, fit, record
from rfmeta_dist.synth.output.source import bare
from rfmeta_dist.synth.person.motion import FPS
from rfmeta_dist.synth.person.portraits import Portrait, Survey

BAND = 200  # millimetres; distances of the camera are known in bands of this width
RHO = 0.5  # default of how strongly spurious cues follow the label


def plan(
    domain: str,
    scale: Scale,
    seed: int,
    identities: Path | Survey | None,
    rho: float = RHO,
    domains: Mapping[str, Domain] = DOMAINS,
) -> list[Video]:
    """Return the recordings of a domain, subject by subject. Each subject has live recordings and all attacks.

    Args:
        domain: a name in `domains`.
        scale: how much to generate.
        seed: seed of the whole data set. Give all domains the same seed, so that no person is in two of them.
        identities: folder of portraits, or what `survey` found in one; None for made-up people.
        rho: how strongly the domain's spurious cues follow the label, from 0 (not at all) to 1 (decided by it).
        domains: all known domains by name; see `card.join`.

    Raises:
        ConfigError: the domain is unknown, or rho is out of range.
        DataError: the folder of portraits is missing, or has no or too few usable portraits.
    """
    card = find_domain(domain, domains)
    if not 0.0 <= rho <= 1.0:
        raise ConfigError(
            f"rho={rho} is out of range",
            "use a number from 0 (spurious cues are independent of the label) to 1 (the label decides them)",
        )
    people = cast(domain, scale, seed, identities, domains)
    return [
        Video(
            card=card,
            rho=rho,
            split=split,
            subject=f"{domain}_{number:03d}",
            attack_type=attack_type,
            name=f"{number:03d}_{attack_type}_{take}",
            occasion=take % scale.videos,
            frames=scale.frames,
            size=scale.size,
            seed=seed,
            identity=identity,
            attacker=_another(people, number, seed),
        )
        for number, (split, identity) in enumerate(people)
        for attack_type, take in _takes(scale, card)
    ]


def _another(people: Sequence[tuple[Split, Identity]], number: int, seed: int) -> Identity:
    """Return who attacks in a subject's name: another person of the same split, so that splits share nobody."""
    split = people[number][0]
    others = [i for i, (theirs, _) in enumerate(people) if theirs == split and i != number]
    if not others:
        return MadeUp(seed_of("attacker", seed, number))
    return people[min(others, key=lambda i: (i - number) % len(people))][1]


def _takes(scale: Scale, card: Domain) -> Iterator[tuple[str, int]]:
    """Yield attack type and number of each of a subject's recordings."""
    recordings = (LIVE, *scale.attacks_of(card))
    for attack_type in dict.fromkeys(recordings):
        for take in range(scale.videos * recordings.count(attack_type)):
            yield attack_type, take


def generate(
    domain: str,
    scale: Scale,
    seed: int,
    identities: Path | Survey | None = None,
    rho: float = RHO,
    domains: Mapping[str, Domain] = DOMAINS,
) -> Iterator[Sample]:
    """Yield all samples of a domain, recording by recording. See `plan` for arguments and errors."""
    for video in plan(domain, scale, seed, identities, rho, domains):
        yield from render(video)


def contract(scale: Scale, videos: Sequence[Video]) -> dict[str, Any]:
    """Return all that decides the bytes of a domain, as JSON-able values for its manifest.

    Args:
        scale: the scale of the plan.
        videos: the plan of the domain, from `plan`.
    """
    first, card = videos[0], asdict(videos[0].card)
    return {
        "generator": "rfmeta synth",
        "code": _code(),
        "scale": {
            "name": scale.name,
            "size": scale.size,
            "videos": scale.videos,
            "frames": scale.frames,
            "every_attack": scale.every_attack,
            "subjects": dict(scale.subjects_of(first.card)),
        },
        "seed": first.seed,
        "rho": first.rho,
        "identities": _people(videos),
        "card": card,
    }


def _code() -> str:
    """Return a hash of the generator's code and arrays, all sub-folders included: they decide every pixel."""
    root = Path(__file__).parents[1]
    whole = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".py", ".npz"}):
        data = path.read_bytes()
        content = bare(data.decode()).encode() if path.suffix == ".py" else data
        whole.update(hashlib.sha256(path.relative_to(root).as_posix().encode()).digest())
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()[:12]


def _people(videos: Sequence[Video]) -> str:
    """Say whose faces are shown: `procedural`, or the hash of the portraits."""
    portraits = dict.fromkeys(v.identity for v in videos if isinstance(v.identity, Portrait))
    if not portraits:
        return "procedural"
    hashes = (hashlib.sha256(Path(p.path).read_bytes() + p.mesh).digest() for p in portraits)
    return f"portraits {hashlib.sha256(b''.join(hashes)).hexdigest()[:12]}"


def render(video: Video) -> list[Sample]:
    """Film a recording and return its crops as samples. The result depends on the video alone."""
    taken, framing = prepare(video)
    sight, about, samples = see(taken.settings), _told(video, taken), []
    shots = film(video, taken.card, taken.settings, framing, video.times)
    for frame, (seconds, shot) in enumerate(zip(video.times, shots, strict=True)):
        tick = round(seconds * FPS)
        lit = shot.radiance if taken.bands is None else flicker(shot.radiance, taken.bands, tick)
        noise = video.random("sensor", tick)
        picture = record(capture(lit, sight, taken.settings, noise, shot.pattern), taken.settings)
        samples.append(_sample(video, frame, fit(picture, video.size), taken.quality, shot.depth))
    return [replace(sample, about=about) for sample in samples]


def prepare(video: Video) -> tuple[Take, Framing]:
    """Return the settings of a recording, changed by its spurious cues, and how its face is framed."""
    rng = video.shared("set-up")
    camera, framing = pick(video.card.cameras, rng), draw_framing(rng)
    settings, quality = set_up(camera, framing, video.size, rng), rng.uniform(*video.card.quality)
    return disturb(Take(video.card, settings, quality, bands=None), video), framing


def _told(video: Video, taken: Take) -> str:
    """Return what is known about a recording: camera, session, distance and, of an attack, the instrument.

    The choices are those that filming makes from the same random generators.
    """
    card, medium = taken.card, ""
    if video.attack_type in PRINTED:
        medium = pick(card.papers, video.random("attack")).name
    elif video.attack_type != LIVE:
        medium = pick(card.screens, video.random("attack")).name
    near = int(taken.settings.away * FACE_UNIT_MM // BAND * BAND)
    return to_text(
        {
            "device": pick(video.card.cameras, video.shared("set-up")).name,
            "session": pick(card.sessions, video.shared("place")).name,
            "distance": f"{near} to {near + BAND} mm",
            "medium": medium,
        }
    )


def _sample(video: Video, frame: int, picture: Pixels, quality: float, depth: NDArray[np.uint8]) -> Sample:
    return Sample(
        key=f"{video.domain}-{video.name}-{frame:03d}",
        domain=video.domain,
        split=video.split,
        label=int(video.attack_type == LIVE),
        attack_type=video.attack_type,
        subject=video.subject,
        video=video.name,
        frame=frame,
        image=encode_jpeg(picture, quality),
        image_ext="jpg",
        depth=cv2.imencode(".png", depth)[1].tobytes(),
    )
