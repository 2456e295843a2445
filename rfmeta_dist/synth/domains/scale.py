"""How much to generate: crop size, subjects, videos and frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.synth.domains.domain import BUNDLED, Domain


@dataclass(frozen=True)
class Scale:
    """The amounts of one generated data set, checked when made.

    Attributes:
        size: side of the crops in pixels, a multiple of 32.
        subjects: per domain name, subjects in each split; "*" stands for those of the four bundled domains that
            are not named. Any other domain has the subjects of its card.
        videos: live recordings of each subject.
        frames: frames of each recording.
        every_attack: for each live recording all attacks of the domain's card, as often as they stand there;
            otherwise one of each type.
    """

    name: str
    size: int
    subjects: Mapping[str, Mapping[Split, int]]
    videos: int
    frames: int
    every_attack: bool = False

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 32:
            raise ConfigError(
                f"size={self.size} is not a positive multiple of 32", "use a size such as 64 or 256"
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
        """Subjects of a domain in each split."""
        shared = self.subjects.get("*") if card.name in BUNDLED else None
        return self.subjects.get(card.name) or shared or card.subjects

    def attacks_of(self, card: Domain) -> tuple[str, ...]:
        """The attack recordings that go with each live one of a domain."""
        return card.attacks if self.every_attack else tuple(dict.fromkeys(card.attacks))


def _split(train: int, validation: int, test: int) -> Mapping[Split, int]:
    return MappingProxyType({"train": train, "validation": validation, "test": test})


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "tiny": Scale("tiny", 64, {"*": _split(3, 1, 2)}, videos=1, frames=2),
        "demo": Scale("demo", 64, {"*": _split(16, 6, 6)}, videos=1, frames=3),
        # People and ratio of live to attack as in OULU-NPU, CASIA-FASD, Replay-Attack and MSU-MFSD.
        "full": Scale("full", 256, {}, videos=3, frames=3, every_attack=True),
    }
)
