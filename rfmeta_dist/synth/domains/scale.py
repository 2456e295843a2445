"""Define how much to generate: crop size, people, recordings and frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.synth.domains.domain import BUNDLED, Domain


@dataclass(frozen=True)
class Scale:
    """The amounts of one generated data set.

    Attributes:
        name: name of the scale.
        size: side of the crops in pixels, a multiple of 8.
        subjects: number of people in each split, by domain; "*" stands for those of the four bundled domains
            that are not named. Any other domain has the people that its card gives.
        videos: live recordings of each person.
        frames: frames of each recording.
        every_attack: for each live recording, make all attacks of the domain's card, as often as they occur
            there; otherwise one attack of each type.

    Raises:
        ConfigError: an amount is out of range, or a named domain has a split without people.
    """

    name: str
    size: int
    subjects: Mapping[str, Mapping[Split, int]]
    videos: int
    frames: int
    every_attack: bool = False

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 8:
            raise ConfigError(
                f"size={self.size} is not a multiple of 8 from 32 on", "use a size such as 64 or 256"
            )
        if self.videos < 1 or self.frames < 1:
            raise ConfigError(
                f"videos={self.videos} and frames={self.frames} would generate nothing", "set both to 1 or more"
            )
        for domain, split in ((d, s) for d in self.subjects for s in SPLITS):
            if self.subjects[domain].get(split, 0) < 1:
                raise ConfigError(
                    f"domain {domain} has no {split} subjects", "give each split at least one subject"
                )

    def subjects_of(self, card: Domain) -> Mapping[Split, int]:
        """Return how many people the domain of a card has in each split at this scale."""
        shared = self.subjects.get("*") if card.name in BUNDLED else None
        return self.subjects.get(card.name) or shared or card.subjects

    def attacks_of(self, card: Domain) -> tuple[str, ...]:
        """Return the attack recordings of a domain that go with each live one."""
        return card.attacks if self.every_attack else tuple(dict.fromkeys(card.attacks))


def _split(train: int, validation: int, test: int) -> Mapping[Split, int]:
    return MappingProxyType({"train": train, "validation": validation, "test": test})


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "tiny": Scale("tiny", 64, {"*": _split(3, 1, 2)}, videos=1, frames=2),
        "small": Scale("small", 64, {"*": _split(16, 6, 6)}, videos=1, frames=3),
        # The shards that `rfmeta demo` trains on, in shards/demo. The frames of a recording are much alike, so
        # there is one frame of each, and there are many people. Patches of 64×64 are cut out of the crops.
        "demo": Scale(
            "demo",
            80,
            {"*": _split(480, 30, 10), "C": _split(360, 25, 10), "M": _split(150, 20, 50)},
            videos=2,
            frames=1,
        ),
        # The people and the ratio of live to attack are those of OULU-NPU, CASIA-FASD, Replay-Attack, MSU-MFSD.
        "full": Scale("full", 256, {}, videos=3, frames=3, every_attack=True),
    }
)
