"""Show features of many channels in two dimensions, and say how much of their variance can be seen there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Flat(NamedTuple):
    """Features in two dimensions.

    Attributes:
        points: N×2.
        shares: the share of the features' variance along each of the two directions, in [0, 1].
    """

    points: Floats
    shares: tuple[float, float]


def principal(features: Floats) -> Flat:
    """Return features along the two directions in which they vary most (principal component analysis).

    The sign of a direction is arbitrary. It is chosen so that the channel with the largest weight counts
    positively.

    Args:
        features: N×C, N at least 1.
    """
    centred = features - features.mean(axis=0)
    _, strength, directions = np.linalg.svd(centred, full_matrices=False)
    two = np.zeros((2, features.shape[1]))
    found = directions[:2] * (strength[:2] > 0)[:, None]
    largest = np.abs(found).argmax(axis=1)
    sign = np.where(found[np.arange(len(found)), largest] < 0, -1.0, 1.0)
    two[: len(found)] = found * sign[:, None]
    points: Floats = centred @ two.T
    return Flat(points, _shares(points, centred))


def by_decision(features: Floats, logit: Floats) -> Flat:
    """Return the logit of each face, and the direction in which features vary most apart from the logit.

    Of the features, all that goes along with the logit is taken away (by linear regression). What remains has
    no effect on the score, because the logit is linear in the features, and is not correlated with it.

    Args:
        features: N×C.
        logit: N, a linear function of the features. It becomes the first coordinate as it is.

    Returns:
        The points. The first share is that of all that goes along with the logit.
    """
    centred, line = features - features.mean(axis=0), logit - logit.mean()
    slope = centred.T @ line / max(float(line @ line), np.finfo(float).tiny)
    along = np.outer(line, slope)
    rest = principal(centred - along).points[:, 0]
    total = float((centred**2).sum())
    shares = [float((part**2).sum()) / total if total > 0 else 0.0 for part in (along, rest)]
    return Flat(np.stack([logit, rest], axis=1), (shares[0], shares[1]))


def between(features: Floats, groups: Sequence[str]) -> float:
    """Return the share of the features' variance that lies between the means of groups, in [0, 1].

    It is 0 if all groups have the same mean, and 1 if the features of a group do not vary.

    Args:
        features: N×C.
        groups: the group of each of the N.
    """
    centred = features - features.mean(axis=0)
    names = np.array(groups, object)
    of_means = 0.0
    for name in sorted(set(groups)):
        rows = centred[names == name]
        of_means += len(rows) * float((rows.mean(axis=0) ** 2).sum())
    total = float((centred**2).sum())
    return of_means / total if total > 0 else 0.0


def _shares(points: Floats, centred: Floats) -> tuple[float, float]:
    total = float((centred**2).sum())
    first, second = ((points**2).sum(axis=0) / total).tolist() if total > 0 else (0.0, 0.0)
    return first, second
