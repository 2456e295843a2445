"""The class activation map is exact, and is largest where the evidence is."""

from __future__ import annotations

import pytest
import torch

from rfmeta_dist.config.schema import Model
from rfmeta_dist.models.activation import STRIDE, inside
from rfmeta_dist.models.build import start
from rfmeta_dist.models.networks import Networks


@pytest.mark.parametrize(
    ("backbone", "side"),
    [("paper", 32), ("paper", 72), ("paper", 96), ("vit_micro", 64), ("convnext_micro", 64)],
)
def test_the_mean_of_the_map_and_the_bias_are_the_logit(backbone, side):
    nets = start(Model(backbone=backbone, width=0.1), seed=3).double()
    image = torch.rand(4, 6, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        nets.train()
        nets.logits(image)  # moves the running statistics off 0 and 1
        nets.eval()
        nets.M.fc2_1.bias.fill_(0.7)
        found, logit = inside(nets, image), nets.logits(image)
    assert found.activation.shape == (4, side // STRIDE, side // STRIDE)
    torch.testing.assert_close(found.logit, logit, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.activation.mean((1, 2)) + 0.7, logit, rtol=1e-12, atol=1e-12)
    weight = nets.M.fc2_1.weight[0]
    torch.testing.assert_close(found.features @ weight + 0.7, logit, rtol=1e-12, atol=1e-12)
    # The attack's logit is the negative of live's, so the maps of the two classes cancel at every place.
    with torch.no_grad():
        nets.M.fc2_1.weight.neg_()
        torch.testing.assert_close(inside(nets, image).activation, -found.activation, rtol=0, atol=0)
    assert found.depth.shape == (4, side // 8, side // 8)
    torch.testing.assert_close(found.depth, nets.D(nets.F(image).shallow).squeeze(1), rtol=0, atol=0)


def redness() -> Networks:
    """Return networks that pass red through every layer: red speaks for live."""
    nets = Networks(width=0.05).initialise(0).double().eval()
    with torch.no_grad():
        for name, parameter in nets.named_parameters():
            if "conv" in name:
                parameter.zero_()
                if name.endswith("weight"):
                    parameter[0, 0, 1, 1] = 1
        nets.M.fc2_1.weight.zero_()
        nets.M.fc2_1.weight[0, 0] = 2
    return nets


@pytest.mark.parametrize("corner", [(0, 0), (0, 3), (3, 0), (3, 3), (1, 2)])
def test_a_spot_that_the_networks_react_to_is_where_the_map_is_largest(corner):
    row, column = corner
    image = torch.full((1, 6, 4 * STRIDE, 4 * STRIDE), 0.1, dtype=torch.float64)
    image[:, :, STRIDE * row + 10 : STRIDE * row + 20, STRIDE * column + 10 : STRIDE * column + 20] = 1
    with torch.no_grad():
        activation = inside(redness(), image).activation[0]
    assert divmod(int(activation.argmax()), 4) == corner
    assert activation.max() > 5 * activation.flatten().sort().values[-2]
