"""Define what is compared: sets of recordings that differ in one part of their physics, and ways to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rfmeta_dist.core.errors import ConfigError

REFERENCE = "patches"  # the arm that others are compared with
GIVEN = "given"  # the name of the set of existing shards


@dataclass(frozen=True)
class Settings:
    """What is the same in every training. Trainings with other settings are not mixed with these.

    Attributes:
        domains: number of domains trained on.
        few: how many of these the arm with fewer domains is trained on.
        judged: number of further domains, in which all arms are judged.
        people: people trained on in each domain.
        others: people judged in each domain.
        size: side of the stored crops in pixels.
        episode: domains in an episode.
        batch: images of a domain in an episode.
        steps: steps of every training.
        width: width of the networks; 1 is that of the paper.
        rate: learning rate of Adam.
        precision: precision of the feature extractor.
        drawn: seed of the domains.

    Raises:
        ConfigError: the numbers do not fit together.
    """

    domains: int = 16
    few: int = 4
    judged: int = 8
    people: int = 14
    others: int = 8
    size: int = 256
    episode: int = 4
    batch: int = 10
    steps: int = 240
    width: float = 0.125
    rate: float = 1e-3
    precision: str = "bf16"
    drawn: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.episode <= self.few <= self.domains:
            raise ConfigError(
                f"--episode {self.episode}, --few {self.few}, --domains {self.domains} are not in rising order",
                "give numbers with 2 <= --episode <= --few <= --domains",
            )
        if self.judged < 1 or self.people < 1 or self.others < 2:
            raise ConfigError(
                f"--judged {self.judged}, --people {self.people} and --others {self.others} are too few",
                "give --judged at least 1, --people at least 1 and --others at least 2",
            )


QUICK: Mapping[str, Any] = {
    "domains": 4, "few": 2, "judged": 3, "people": 6, "others": 8, "episode": 2, "steps": 120,
}  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """A way to learn.

    Attributes:
        learner: the learning rule of a network, or the cue of a linear classifier.
        view: whole faces at 64×64, or patches of 64×64.
        few: whether it is trained on fewer domains.
    """

    learner: Literal["no_meta", "rfmeta", "texture", "cooccurrence"]
    view: Literal["face", "patches"] = "patches"
    few: bool = False

    @property
    def network(self) -> bool:
        """Return True if it trains a network, whose figures depend on a seed."""
        return self.learner in ("no_meta", "rfmeta")


ARMS: Mapping[str, Arm] = {
    REFERENCE: Arm("no_meta"),
    "faces": Arm("no_meta", view="face"),
    "few": Arm("no_meta", few=True),
    "rfmeta": Arm("rfmeta"),
    "texture": Arm("texture"),
    "texture_faces": Arm("texture", view="face"),
    "texture_few": Arm("texture", few=True),
    "cooccurrence": Arm("cooccurrence"),
    "cooccurrence_faces": Arm("cooccurrence", view="face"),
    "cooccurrence_few": Arm("cooccurrence", few=True),
}
# Which arms are compared with each other, on the same recordings.
COMPARED = (
    ("patches", "faces"),
    ("texture", "texture_faces"),
    ("cooccurrence", "cooccurrence_faces"),
    ("patches", "few"),
    ("texture", "texture_few"),
    ("cooccurrence", "cooccurrence_few"),
    ("rfmeta", "patches"),
    ("texture", "patches"),
    ("cooccurrence", "patches"),
)
SHORT = tuple(name for name in ARMS if name != "rfmeta" and not ARMS[name].few)


@dataclass(frozen=True)
class Question:
    """Sets that are trained on, and sets that each result is judged in.

    Attributes:
        sides: the two sets that leave each other out.
        further: other sets to train on.
        arms: keys of ARMS.
    """

    name: str
    sides: tuple[str, str]
    further: tuple[str, ...]
    arms: tuple[str, ...]


QUESTIONS = (
    Question("patterns", ("resolved", "unresolved"), ("drawn",), tuple(ARMS)),
    Question("instruments", ("prints", "replays"), (), SHORT),
    Question("cameras", ("few_pixels", "many_pixels"), (), SHORT),
)


@dataclass(frozen=True)
class Cell:
    """One training, and the sets in which it is judged."""

    trained: str
    arm: str
    seed: int
    judged: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of its folder, such as `resolved-patches-s0`."""
        return f"{self.trained}-{self.arm}-s{self.seed}"


def cells(seeds: tuple[int, ...], *, given: bool) -> list[Cell]:
    """Return all trainings, seed by seed, so that an interrupted bench is complete for the first seeds.

    Args:
        seeds: seeds of networks; a linear classifier is trained once.
        given: whether there is also a set of existing shards.
    """
    found: dict[Cell, None] = {}
    for seed in seeds:
        for question in QUESTIONS:
            extra = (GIVEN,) if given and question.name == "patterns" else ()
            for trained in (*extra, *question.sides, *question.further):
                for arm in question.arms:
                    # With existing shards, all domains are trained on, so there are no arms with fewer domains.
                    if not (trained == GIVEN and (ARMS[arm].few or ARMS[arm].learner == "rfmeta")):
                        number = seed if ARMS[arm].network else 0
                        found[Cell(trained, arm, number, (*question.sides, *extra))] = None
    return list(found)
