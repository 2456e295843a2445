"""Build the trainers of a run, one for each phase of its method, and train one after another.

Most methods have one phase. A phase is a trainer of its own: networks, objective and optimisers. It begins with
the networks that it takes over from the phase before (`Objective.begin_from`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from rfmeta_dist.config.phases import ends
from rfmeta_dist.config.schema import Config
from rfmeta_dist.episode.plan import work_split
from rfmeta_dist.methods import phases
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.methods.base.turns import Setting
from rfmeta_dist.models.build import start
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.choose import adam
from rfmeta_dist.training.average import Average
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.loop import BatchSource, Hooks, train
from rfmeta_dist.training.step import Trainer


def phase_of(config: Config, step: int) -> int:
    """Return the number of the phase in which a step is done; that of the last one for later steps."""
    last = ends(config)
    return next((phase for phase, end in enumerate(last) if step < end), len(last) - 1)


def setting(config: Config, phase: int = 0) -> Setting:
    """Return what the rule of a phase knows of the run."""
    last = (0, *ends(config))
    return Setting(len(config.data.sources), max(1, last[phase + 1] - last[phase]), config.training.seed)


def networks(config: Config, phase: int = 0) -> Networks:
    """Return the networks of a phase with initial weights.

    Raises:
        ConfigError: `model.weights` cannot be used.
    """
    training, rule = config.training, phases(config.method.name)[phase]
    # The weights of `training.start` are loaded later, and only if there is no checkpoint (begin.py).
    model = config.model.model_copy(update={"weights": None}) if training.start else config.model
    return start(
        model,
        training.seed,
        checkpointing=training.activation_checkpointing,
        second_order=config.method.facts.second_order,
        extra=rule.extra_modules(config.model, config.method, setting(config, phase)),
    )


def assemble(config: Config, nets: Networks, strategy: Strategy, phase: int = 0) -> Trainer:
    """Return a trainer of these networks, which are on the worker's device."""
    training, facts = config.training, config.method.facts
    known = setting(config, phase)
    rule = phases(config.method.name)[phase]
    objective = rule(nets, config.method, bf16=training.precision == "bf16", setting=known)
    average = Average(nets, training.average) if training.average and strategy.rank == 0 else None
    named = facts.phases[phase] if len(facts.phases) > 1 else ""
    return Trainer(objective, strategy, adam(training, known.steps), work_split(config), average, phase=named)


def build(config: Config, strategy: Strategy, device: torch.device, phase: int = 0) -> Trainer:
    """Build networks, objective and optimisers of a phase as configured.

    Raises:
        ConfigError: `model.weights` cannot be used.
    """
    return assemble(config, networks(config, phase).to(device), strategy, phase)


class Course:
    """The trainer of a run's present phase, and the way to the next one.

    Args:
        config: the run's.
        make: makes a strategy; each phase has its own.
        device: this worker's device.

    Attributes:
        trainer: the trainer of the present phase.
        phase: number of the present phase, from 0.
    """

    def __init__(self, config: Config, make: Callable[[], Strategy], device: torch.device) -> None:
        self._config, self._make, self._device = config, make, device
        self.enter(0)

    def enter(self, phase: int) -> None:
        """Build the trainer of a phase without the phases before, to restore a checkpoint into it."""
        self.phase, self.trainer = phase, build(self._config, self._make(), self._device, phase)

    def advance(self) -> None:
        """Go on to the next phase, which takes over what it needs from the networks of this one."""
        before: Objective = self.trainer.objective
        self.enter(self.phase + 1)
        self.trainer.objective.begin_from(before.nets)


def train_phases(
    config: Config,
    course: Course,
    source: BatchSource,
    hooks: Hooks,
    progress: Progress,
    device: torch.device,
    until: int | None = None,
) -> Progress:
    """Train through the phases of a run, as `train` does within one. A checkpoint is due at the end of each.

    Args:
        config: the run's configuration.
        course: in the phase and state of `progress`.
        source: provides this worker's batches.
        hooks: functions that are called after steps.
        progress: where to start.
        device: this worker's device.
        until: step to train to, at most `training.steps`, which it is if not given.

    Returns:
        The progress after the step `until`; `progress` itself if that is further already.

    Raises:
        DivergedError: see `train`.
    """
    last, stops = config.training.steps if until is None else until, ends(config)
    while True:
        end = min(last, stops[course.phase])
        progress = train(config, course.trainer, source, hooks, progress, device, end)
        if progress.step >= last or course.phase == len(stops) - 1:
            return progress
        course.advance()
