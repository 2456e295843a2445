"""Small studies: settings that train in a second, and scores of invented people."""

from __future__ import annotations

import numpy as np

from bench.study.design import Settings
from rfmeta_dist.evaluation.scores import Scores

SMALL = Settings(scale="tiny", size=32, width=0.05, batch=4, steps=3, precision="fp32", drawn=2)


def invented(target: str, quality: float, seed: int, people: int = 20) -> Scores:
    """Frame scores of a target; live and attack lie `quality` apart, in units of their spread.

    The luck of a person, and of each of their recordings, is the same whatever the quality.
    """
    rng = np.random.default_rng([seed, ord(target)])
    rows = []
    for person in range(people):
        luck = rng.normal(0, 0.3)
        for kind in ("live", "print", "replay"):
            logit = quality * (0.5 if kind == "live" else -0.5) + luck + rng.normal(0, 1)
            name = f"{person:02d}-{kind}"
            score = 1 / (1 + np.exp(-logit))
            rows.append(
                (f"{target}-{name}-0", target, "test", f"{target}_{person}", name, kind, kind == "live", score)
            )
    return Scores(*map(np.array, zip(*rows, strict=True)))
