"""Film one recording: a live person, or an attack that shows an earlier recording of that person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.filming.attacks import film_cut, film_print, film_replay, film_warped
from rfmeta_dist.synth.filming.recording import Recording, Shot, Video
from rfmeta_dist.synth.filming.session import open_session
from rfmeta_dist.synth.optics.camera import Settings, see
from rfmeta_dist.synth.optics.framing import Framing, mapped, square
from rfmeta_dist.synth.person.motion import draw_shake
from rfmeta_dist.synth.person.pose import project
from rfmeta_dist.synth.place.scene import depth_map

DEPTH_SAMPLES = 128  # across the crop, from which the depth label is averaged

Film = Callable[[Recording, Sequence[float]], Iterator[Shot]]


def film_live(recording: Recording, times: Sequence[float]) -> Iterator[Shot]:
    """Film a person before the camera."""
    video, raster = recording.video, recording.raster
    session = open_session(
        recording,
        video.identity,
        recording.framing,
        raster,
        video.random("here"),
    )
    for seconds in times:
        framing = recording.framing_at(seconds, session.sway)
        background = session.room.seen(recording.shake, recording.framing, seconds)
        radiance = session.shoot(seconds, framing, raster, background)
        crop = project(session.bust(), session.life.at(seconds), framing, square(DEPTH_SAMPLES))
        face = mapped(mapped(session.face(seconds), framing.to_crop), recording.to_frame)
        yield Shot(radiance, depth_map(crop), face)


FILMS: Mapping[str, Film] = MappingProxyType(
    {
        LIVE: film_live,
        "print": film_print,
        "warped": film_warped,
        "cut": film_cut,
        "replay": film_replay,
    }
)


def film(
    video: Video,
    card: Domain,
    settings: Settings,
    framing: Framing,
    times: Sequence[float],
    *,
    whole: bool = False,
) -> Iterator[Shot]:
    """Film a recording at some times. A frame depends on its time alone, not on which other frames are taken.

    Args:
        video: the recording.
        card: its domain, spurious cues included.
        settings: the settings of the camera.
        framing: framing of the face crop.
        times: in seconds, from 0 to `video.seconds`.
        whole: film the camera's whole frame instead of the face crop alone.

    Yields:
        What reaches the lens at each time, on the grid `scene` of `camera.see`.
    """
    recording = Recording(
        video, card, settings, framing, see(settings, whole=whole), draw_shake(video.random("shake"))
    )
    yield from FILMS[video.attack_type](recording, times)
