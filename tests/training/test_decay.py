"""With training.decay=cosine, the learning rate of each step is that of PyTorch's own schedule."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR

from rfmeta_dist.config.training import Training
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.choose import adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer
from tests import episodes

RATE, STEPS = 1e-2, 4


@settings(deadline=None)
@given(steps=st.integers(1, 60), rate=st.floats(1e-6, 1.0))
def test_the_rate_falls_to_zero_as_with_pytorchs_schedule(steps, rate):
    ours = adam(Training(steps=steps, learning_rate=rate, decay="cosine"))
    reference = torch.optim.Adam([torch.zeros(1)], lr=rate)
    schedule = CosineAnnealingLR(reference, T_max=steps)
    for step in range(steps):
        (theirs,) = schedule.get_last_lr()
        assert ours.rate_after(step) == pytest.approx(theirs, rel=1e-9, abs=1e-12 * rate)
        reference.step()
        schedule.step()
    assert ours.rate_after(steps) == pytest.approx(0, abs=1e-12)


def test_without_decay_the_rate_is_constant():
    ours = adam(Training(steps=10, learning_rate=RATE))
    assert {ours.rate_after(step) for step in range(10)} == {RATE}


def test_the_weights_are_those_of_pytorchs_adam_with_its_schedule():
    objective = episodes.objective("rfmeta", 0)
    run = Trainer(objective, Single(), Adam(RATE, cosine=STEPS), episodes.work_split(objective, 3))
    copies = {name: p.detach().clone().requires_grad_() for name, p in objective.nets.named_parameters()}
    reference = torch.optim.Adam(copies.values(), lr=RATE)
    schedule = CosineAnnealingLR(reference, T_max=STEPS)
    for step in range(STEPS):
        run.gradient(episodes.work(run.work_split, 0, 3, step))
        for name, gradient in run.strategy.gradient().items():
            copies[name].grad = gradient
        run.update()
        reference.step()
        schedule.step()
    for name, parameter in objective.nets.named_parameters():
        torch.testing.assert_close(parameter.detach(), copies[name].detach(), rtol=1e-9, atol=1e-12)
