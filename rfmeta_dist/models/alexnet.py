"""Define AlexNet for face crops, with one logit (Krizhevsky, Sutskever & Hinton, NeurIPS 2012).

    image B×3×S×S → 128×128 → five convolutions, three max pools → B×256×3×3 → three linear layers → one logit

It has no local response normalisation and no groups. A width multiplier scales all channels, as in networks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.models.networks import scaled
from rfmeta_dist.models.pool import overlapping_max_pool

SIDE = 128  # of the images that the convolutions see
MIDDLE = 0.5  # is subtracted from pixels in [0, 1]
CONVOLUTIONS = (96, 256, 384, 384, 256)
HIDDEN = 4096
CELLS = 9  # of the maps of the last pool


class AlexNet(nn.Module):
    """Five convolutions, three of them with a 3×3 max pool of stride 2, and three linear layers.

    Args:
        width: channel multiplier; 1 is the paper.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        one, two, three, four, five = (scaled(channels, width) for channels in CONVOLUTIONS)
        self.hidden = scaled(HIDDEN, width)
        self.conv1 = nn.Conv2d(3, one, 11, stride=4, padding=2)
        self.conv2 = nn.Conv2d(one, two, 5, padding=2)
        self.conv3 = nn.Conv2d(two, three, 3, padding=1)
        self.conv4 = nn.Conv2d(three, four, 3, padding=1)
        self.conv5 = nn.Conv2d(four, five, 3, padding=1)
        self.fc6 = nn.Linear(features(width), self.hidden)
        self.fc7 = nn.Linear(self.hidden, self.hidden)
        self.fc8 = nn.Linear(self.hidden, 1)

    @torch.no_grad()
    def initialise(self, draw: Callable[[str], torch.Generator]) -> None:
        """Draw weights so that signals keep their size through ReLU (He et al., ICCV 2015); biases are zero.

        Without batch norm, Xavier's weights would let them fade, and the network would hardly learn.

        Args:
            draw: returns the random generator of a parameter's name.
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=draw(name))
            else:
                parameter.zero_()

    def pooled(self, image: Tensor) -> Tensor:
        """Return the features of the last pool of B×3×S×S images in [0, 1]: B×2304 at width 1, at least 0."""
        x = f.interpolate(image - MIDDLE, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        x = overlapping_max_pool(f.relu(self.conv1(x)))
        x = overlapping_max_pool(f.relu(self.conv2(x)))
        x = f.relu(self.conv4(f.relu(self.conv3(x))))
        return overlapping_max_pool(f.relu(self.conv5(x))).flatten(1)

    def forward(self, image: Tensor, kept: Sequence[Tensor]) -> Tensor:
        """Convert B×3×S×S images to B logits.

        Args:
            image: images in [0, 1].
            kept: for each of the two hidden layers a factor of each of its outputs, B×`hidden`: the dropout.
        """
        x = self.pooled(image)
        for layer, factor in zip((self.fc6, self.fc7), kept, strict=True):
            x = f.relu(layer(x)) * factor
        logit: Tensor = self.fc8(x)
        return logit.squeeze(1)


def features(width: float) -> int:
    """Return the number of features of the last pool."""
    return CELLS * scaled(CONVOLUTIONS[-1], width)
