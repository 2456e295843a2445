"""Features in two dimensions: principal components, the direction that decides, and shares of the variance."""

from __future__ import annotations

import numpy as np
import pytest

from rfmeta_dist.evaluation.projection import between, by_decision, principal

RNG = np.random.default_rng(5)
FEATURES = RNG.normal(size=(60, 8)) @ RNG.normal(size=(8, 8)) + 3


def test_principal_components_are_those_of_the_covariance():
    found = principal(FEATURES)
    # Another way to the same: the eigenvectors of the covariance matrix.
    values, vectors = np.linalg.eigh(np.cov(FEATURES.T, bias=True))
    for axis, (value, vector) in enumerate(zip(values[::-1][:2], vectors.T[::-1][:2], strict=True)):
        sign = np.sign(vector[np.abs(vector).argmax()])
        expected = (FEATURES - FEATURES.mean(axis=0)) @ (sign * vector)
        np.testing.assert_allclose(found.points[:, axis], expected, atol=1e-9)
        assert found.shares[axis] == pytest.approx(value / values.sum())


def test_the_sign_does_not_depend_on_the_order_of_the_faces():
    order = RNG.permutation(len(FEATURES))
    np.testing.assert_allclose(principal(FEATURES[order]).points, principal(FEATURES).points[order], atol=1e-9)


@pytest.mark.parametrize("features", [np.ones((1, 5)), np.ones((9, 5)), np.arange(6.0).reshape(6, 1)])
def test_features_that_do_not_vary_in_two_directions_lie_on_a_line(features):
    found = principal(features)
    assert found.points.shape == (len(features), 2)
    assert (found.points[:, 1] == 0).all()
    assert sum(found.shares) in (0, pytest.approx(1))


def test_across_lies_the_logit_and_upwards_what_does_not_go_along_with_it():
    weight = RNG.normal(size=8)
    logit = FEATURES @ weight - 1.5
    found = by_decision(FEATURES, logit)
    across, upwards = found.points.T
    assert (across == logit).all()
    assert np.corrcoef(across, upwards)[0, 1] == pytest.approx(0, abs=1e-9)
    # Another way to the first share: the mean of the channels' squared correlations, by variance.
    variance = FEATURES.var(axis=0)
    squared = [np.corrcoef(channel, logit)[0, 1] ** 2 for channel in FEATURES.T]
    assert found.shares[0] == pytest.approx(np.average(squared, weights=variance))
    # What is added at right angles to the weights, without correlation, shows upwards only.
    noise, other = RNG.normal(size=60), RNG.normal(size=8)
    design = np.stack([np.ones(60), logit], axis=1)
    noise -= design @ np.linalg.lstsq(design, noise, rcond=None)[0]
    other -= other @ weight / (weight @ weight) * weight
    moved = FEATURES + np.outer(noise, 50 * other)
    again = by_decision(moved, moved @ weight - 1.5)
    np.testing.assert_allclose(again.points[:, 0], logit, atol=1e-9)
    assert abs(np.corrcoef(again.points[:, 1], noise)[0, 1]) > 0.99
    assert again.shares[1] > 0.9


def test_the_variance_between_groups_and_within_them_is_the_whole():
    groups = np.array(list("abc"))[RNG.integers(0, 3, 60)]
    within = sum(FEATURES[groups == g].var(axis=0).sum() * (groups == g).sum() for g in "abc") / 60
    assert between(FEATURES, groups.tolist()) == pytest.approx(1 - within / FEATURES.var(axis=0).sum())
    assert between(np.eye(3)[[0, 0, 1, 2]], ["a", "a", "b", "c"]) == pytest.approx(1)
    assert between(np.ones((4, 2)), ["a", "a", "b", "b"]) == 0
