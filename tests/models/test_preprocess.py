"""The input has six channels, as in the paper."""

import colorsys

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rfmeta_dist.models.preprocess import rgb_to_hsv, to_input


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_hsv_is_the_standard_one(rgb):
    pixel = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1) / 255
    hsv = rgb_to_hsv(pixel).flatten().tolist()
    assert np.allclose(hsv, colorsys.rgb_to_hsv(*(c / 255 for c in rgb)), atol=1e-12)


def test_hue_is_a_full_circle_as_in_pil():
    """OpenCV's 8-bit hue stops at 179; the paper's, PIL's, goes to 255."""
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    ours = to_input(image)[0, 3:].permute(1, 2, 0).numpy()
    pil = np.asarray(Image.fromarray(image[0]).convert("HSV")) / 255
    away = np.abs(ours - pil)
    away[..., 0] = np.minimum(away[..., 0], 1 - away[..., 0])  # hue is a circle
    assert away.max() < 0.006
    assert ours[..., 0].max() > 0.9
