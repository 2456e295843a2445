"""DeLong's test gives the figures that another implementation published, and counts ties by its definition."""

import numpy as np
import pytest

from rfmeta_dist.evaluation.delong import delong, placements

# The data of DeLong, DeLong & Clarke-Pearson (1988): albumin, total protein, K-G score, and the outcome of 43
# patients without missing values, as printed in SAS/STAT's documentation, PROC LOGISTIC, "Comparing Receiver
# Operating Characteristic Curves". There, 10 less the K-G score is compared.
PATIENTS = """
3.0 5.8 10 0   3.2 6.3  5 1   3.9 6.8  3 1   2.8 4.8  6 0   3.2 5.8  3 1   0.9 4.0  5 0   2.5 5.7  8 0
1.6 5.6  5 1   3.8 5.7  5 1   3.7 6.7  6 1   3.2 5.4  4 1   3.8 6.6  6 1   4.1 6.6  5 1   3.6 5.7  5 1
4.3 7.0  4 1   3.6 6.7  4 0   2.3 4.4  6 1   4.2 7.6  4 0   4.0 6.6  6 0   3.5 5.8  6 1   3.8 6.8  7 1
3.0 4.7  8 0   4.5 7.4  5 1   3.7 7.4  5 1   3.1 6.6  6 1   4.1 8.2  6 1   4.3 7.0  5 1   4.3 6.5  4 1
3.2 5.1  5 1   2.6 4.7  6 1   3.3 6.8  6 0   1.7 4.0  7 0   3.7 6.1  5 1   3.3 6.3  7 1   4.2 7.7  6 1
3.5 6.2  5 1   2.9 5.7  9 0   2.1 4.8  7 1   2.8 6.2  8 0   4.0 7.0  7 1   3.3 5.7  6 1   3.7 6.9  5 1
3.6 6.6  5 1
"""
# What SAS prints for each contrast with the K-G score: estimate, standard error, χ² = z² and p.
PUBLISHED = {
    "albumin": (0.0108, 0.0953, 0.0127, 0.9102),
    "total protein": (-0.0780, 0.1046, 0.5554, 0.4561),
}
AREAS = {"albumin": 0.7366, "total protein": 0.6478, "K-G": 0.7258}


@pytest.fixture(scope="module")
def patients() -> dict[str, np.ndarray]:
    albumin, protein, score, outcome = np.array(PATIENTS.split(), float).reshape(-1, 4).T
    return {"albumin": albumin, "total protein": protein, "K-G": 10 - score, "outcome": outcome.astype(int)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_figures_of_sas(patients, name):
    found = delong(patients["outcome"], patients["K-G"], patients[name])
    assert (found.difference, found.error, found.z**2, found.p) == pytest.approx(PUBLISHED[name], abs=5e-5)


def test_the_published_areas(patients):
    for name, area in AREAS.items():
        live, attack = placements(patients["outcome"], patients[name])
        assert (live.mean(), attack.mean()) == pytest.approx((area, area), abs=5e-5)


def test_placements_by_midranks_equal_those_of_all_pairs():
    rng = np.random.default_rng(0)
    label = rng.permutation(np.arange(60) % 3 > 0).astype(int)
    score = np.round(rng.normal(label, 1), 1)  # rounded, so that many scores tie
    live, attack = score[label == 1], score[label == 0]
    wins = (live[:, None] > attack) + 0.5 * (live[:, None] == attack)
    above, below = placements(label, score)
    np.testing.assert_allclose(above, wins.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(below, wins.mean(axis=0), atol=1e-12)


def test_equal_models_do_not_differ_on_any_scale():
    rng = np.random.default_rng(1)
    label = np.arange(40) % 2
    score = rng.normal(label, 1)
    found = delong(label, score, 3 * score - 1e6)
    assert (found.difference, found.z, found.p) == (0.0, 0.0, 1.0)
