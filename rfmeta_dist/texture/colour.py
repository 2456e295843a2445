"""Compute the features of Color Texture: texture of the six channels of HSV and YCbCr.

Boulkenafet, Komulainen and Hadid, "Face spoofing detection using colour texture analysis", IEEE TIFS 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.texture.api import Kernel
from rfmeta_dist.texture.coalbp import coalbp
from rfmeta_dist.texture.images import resized, six_channels
from rfmeta_dist.texture.lbp import SIDE, bins, histograms, lbp
from rfmeta_dist.texture.lpq import lpq

SCALES = ((1, 2), (2, 4), (4, 8))  # radius of the patterns and interval of the pairs, in pixels


@dataclass(frozen=True)
class ColourTexture:
    """19,968 features of a 64×64 crop: co-occurring patterns at three scales and phases of six channels.

    Attributes:
        lbp_only: True for 354 features instead: the histogram of LBP^{u2}_{8,1} of each channel.
    """

    lbp_only: bool = False
    kernel: ClassVar[Kernel] = "linear"
    by_attack: ClassVar[bool] = False

    @property
    def length(self) -> int:
        """Return 19,968, or 354 with `lbp_only`."""
        return 6 * (bins(8) if self.lbp_only else 1024 * len(SCALES) + 256)

    @property
    def settings(self) -> dict[str, Any]:
        """Return `lbp_only`."""
        return {"lbp_only": self.lbp_only}

    def features(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the features of B×S×S×3 RGB crops, channel after channel: B×d shares in [0, 1]."""
        channels = np.moveaxis(six_channels(resized(faces, SIDE)), -1, 0)
        return np.concatenate([part for channel in channels for part in self._of(channel)], axis=1)

    def _of(self, channel: NDArray[np.uint8]) -> Sequence[NDArray[np.float64]]:
        if self.lbp_only:
            return [histograms(lbp(channel, 8, 1), bins(8))]
        return [*(coalbp(channel, *scale) for scale in SCALES), lpq(channel)]
