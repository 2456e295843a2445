"""Make scores of invented people. The frames of a subject share a random effect, as in real data."""

from collections.abc import Callable

import numpy as np
import pytest

from rfmeta_dist.evaluation.scores import Scores

MakeScores = Callable[..., Scores]
LOGIT = {"live": 1.2, "print": -1.4, "replay": -0.6}


@pytest.fixture(scope="session")
def make_scores() -> MakeScores:
    def make(domains="M", split="test", subjects=12, frames=6, seed=0, shift=0.0, kinds=tuple(LOGIT)) -> Scores:
        rng = np.random.default_rng(seed)
        rows = []
        for domain in domains:
            for s in range(subjects):
                subject = rng.normal(shift, 0.8)
                for kind in kinds:
                    video = f"s{s:02d}-{kind}"
                    for frame in range(frames):
                        logit = LOGIT[kind] + subject + rng.normal(0, 0.6)
                        rows.append(
                            (
                                f"{domain}-{video}-{frame}",
                                domain,
                                split,
                                f"{domain}/s{s:02d}",
                                video,
                                kind,
                                int(kind == "live"),
                                1 / (1 + np.exp(-logit)),
                            )
                        )
        return Scores(*map(np.array, zip(*rows, strict=True)))

    return make
