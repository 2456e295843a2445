"""Define what the study compares: its grid of trainings, their settings, and the configuration of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError

DOMAINS = ("O", "C", "I", "M")
Trained = Literal["named", "drawn"]  # on the other named domains, or on many drawn ones
# `plain` is a binary classifier trained on all sources: no meta-learning and no depth.
RULES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"name": "no_meta", "depth_weight": 0.0},
    "no_meta": {"name": "no_meta"},
    "first_order": {"name": "first_order"},
    "aggregate": {"name": "aggregate"},
    "rfmeta": {"name": "rfmeta"},
}
ADAPTING = ("first_order", "aggregate", "rfmeta")  # the rules that have an inner rate α
ALPHAS = (1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class Settings:
    """What is the same in every training.

    Attributes:
        scale: name of the scale, which says how much is generated (data.py).
        size: side of the images in pixels.
        width: width of the networks; 1 is that of the paper.
        batch: images per domain.
        steps: steps of every training; the last one is judged.
        rate: learning rate of Adam.
        precision: precision of F and D.
        drawn: number of randomly drawn domains to train on; together they have as many people as three named
            ones.
    """

    scale: str = "study"
    size: int = 64
    width: float = 0.125
    batch: int = 20
    steps: int = 240
    rate: float = 1e-3
    precision: str = "bf16"
    drawn: int = 16


@dataclass(frozen=True)
class Question:
    """One figure that the study asks for: a rule, trained with a seed, judged on a target.

    Attributes:
        rho: how strongly spurious cues follow the label in the data.
        method: a key of RULES.
        target: the domain that is judged on.
        seed: seed of the training.
        trained: the domains trained on: the named ones except the target, or the drawn ones.
    """

    rho: float
    method: str
    target: str
    seed: int
    trained: Trained = "named"

    @property
    def alphas(self) -> tuple[float | None, ...]:
        """Return the inner rates to choose from; only None for a rule without one."""
        return ALPHAS if self.method in ADAPTING else (None,)

    @property
    def cells(self) -> list[Cell]:
        """Return the trainings to choose from."""
        return [Cell(self, alpha) for alpha in self.alphas]


@dataclass(frozen=True)
class Arm:
    """What the study compares: a rule on sources of one kind at one rho."""

    rho: float
    trained: Trained
    method: str

    @classmethod
    def of(cls, question: Question) -> Arm:
        """Return the arm that a question belongs to."""
        return cls(question.rho, question.trained, question.method)


@dataclass(frozen=True)
class Cell:
    """One training."""

    question: Question
    alpha: float | None

    @property
    def name(self) -> str:
        """Return the run's name, as `rho50-rfmeta-a1e-02-to_O-s0`, or `…-drawn-s0` if all targets share it."""
        q = self.question
        alpha = "" if self.alpha is None else f"-a{self.alpha:.0e}".replace("+", "")
        to = f"to_{q.target}" if q.trained == "named" else q.trained
        return f"rho{percent(q.rho)}-{q.method}{alpha}-{to}-s{q.seed}"

    @property
    def judged(self) -> str:
        """Return the folder below `runs/` with the evaluation on the target."""
        return self.name if self.question.trained == "named" else f"{self.name}/to_{self.question.target}"

    def columns(self) -> dict[str, Any]:
        """Return the first columns of a row. A training that serves all targets has no target there."""
        shared = {} if self.question.trained == "named" else {"target": None}
        return asdict(self.question) | {"alpha": self.alpha} | shared


@dataclass(frozen=True)
class Grid:
    """The part of the study that is asked for.

    Raises:
        ConfigError: a rho is out of range, or a name is unknown.
    """

    rhos: Sequence[float] = (0.0, 0.5)
    methods: Sequence[str] = tuple(RULES)
    targets: Sequence[str] = DOMAINS
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    trained: Sequence[Trained] = get_args(Trained)

    def __post_init__(self) -> None:
        for rho in self.rhos:
            if not 0 <= rho <= 1:
                raise ConfigError(f"--rhos has the value {rho}", "give values from 0 to 1")
        choices: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
            ("methods", self.methods, tuple(RULES)),
            ("targets", self.targets, DOMAINS),
            ("trained", self.trained, get_args(Trained)),
        )
        for option, given, known in choices:
            for name in given:
                if name not in known:
                    raise ConfigError(
                        f"--{option} has the unknown value {name!r}", f"choose from {', '.join(known)}"
                    )

    @property
    def questions(self) -> list[Question]:
        """Return all questions, seed by seed, so that an interrupted study is complete for the first seeds."""
        return [
            Question(rho, method, target, seed, trained)
            for seed in self.seeds
            for rho in self.rhos
            for trained in self.trained
            for target in self.targets
            for method in self.methods
        ]


def percent(rho: float) -> str:
    """Return a rho as file names have it: 0.5 → `50`."""
    return f"{round(100 * rho):02d}"


def data_folder(folder: Path, rho: float) -> Path:
    """Return the folder of the domains of a rho."""
    return folder / "data" / f"rho-{rho:g}"


def drawn_names(count: int) -> list[str]:
    """Return D01, D02, …: the names that the generator gives to the domains it draws."""
    return [f"D{number:02d}" for number in range(1, count + 1)]


def configuration(cell: Cell, settings: Settings, folder: Path) -> Config:
    """Return the whole configuration of a training, as `rfmeta train` takes it.

    Args:
        cell: the training.
        settings: what all trainings have in common.
        folder: folder of the study.
    """
    question = cell.question
    rule = dict(RULES[question.method])
    others = [name for name in DOMAINS if name != question.target]
    many = question.trained == "drawn"
    if cell.alpha is not None:
        rule["inner_learning_rate"] = cell.alpha
    tree = {
        "run": {"name": cell.name, "folder": str(folder / "runs")},
        "data": {
            "prefix": str(data_folder(folder, question.rho)),
            "sources": drawn_names(settings.drawn) if many else others,
            "target": question.target,
            "image_size": settings.size,
            "batch": settings.batch,
        },
        "model": {"width": settings.width},
        "method": rule,
        # The number of images in a step and of domains in an episode is the same for both kinds of sources.
        "episode": {"domains": min(len(others), settings.drawn)} if many else {},
        "training": {
            "steps": settings.steps,
            "learning_rate": settings.rate,
            "seed": question.seed,
            "precision": settings.precision,
            "workers": 1,
            "strategy": "single",
            "checkpoint_every": settings.steps,
        },
    }
    return check(tree, f"of {cell.name}")
