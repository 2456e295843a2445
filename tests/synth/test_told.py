"""A generated recording tells with which camera, instrument and session it was made, and tells the truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfmeta_dist.core.about import from_text
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import plan, render


def told(video) -> dict[str, str]:
    return from_text(render(replace(video, frames=1))[0].about)


@pytest.mark.parametrize("domain", ["I", "M"])
def test_only_the_instrument_that_is_told_decides_the_picture(domain):
    video = next(v for v in plan(domain, SCALES["tiny"], 0, None) if v.attack_type == "replay")
    medium = told(video)["medium"]
    assert medium in {screen.name for screen in video.card.screens}

    def with_another(changed: bool) -> bytes:
        """Return the picture if the screen that is told, or else all the others, were darker."""
        screens = [replace(s, gamma=3.2) if (s.name == medium) is changed else s for s in video.card.screens]
        other = replace(video, frames=1, card=replace(video.card, screens=tuple(screens)))
        return render(other)[0].image

    assert len(video.card.screens) > 1
    assert with_another(changed=False) == render(replace(video, frames=1))[0].image
    assert with_another(changed=True) != render(replace(video, frames=1))[0].image


def test_all_samples_tell_names_of_the_card_and_an_occasion_shares_them():
    occasions: dict[tuple[str, int], set[tuple[str, ...]]] = {}
    card = DOMAINS["M"]
    for video in [v for v in plan("M", SCALES["tiny"], 0, None) if v.split == "test"][:8]:
        facts = told(video)
        assert facts["device"] in {camera.name for camera in card.cameras}
        assert facts["session"] in {venue.name for venue in card.sessions}
        assert ("medium" in facts) <= (video.attack_type != LIVE)
        shared = facts["device"], facts["session"], facts["distance"]
        occasions.setdefault((video.subject, video.occasion), set()).add(shared)
    assert all(len(facts) == 1 for facts in occasions.values())
