"""An int8 model is a smaller one with nearly the same scores, whatever the extractor, also on patches."""

import numpy as np
import onnx
import pytest

from rfmeta_dist.core.patches import Patches
from rfmeta_dist.export.graph import PixelScorer, to_onnx
from rfmeta_dist.export.int8 import to_int8
from rfmeta_dist.export.session import OnnxDetector
from tests.lively import lively, pictures


@pytest.mark.parametrize(
    "backbone", ["paper", "vit_micro", pytest.param("convnext_micro", marks=pytest.mark.drill)]
)
def test_int8_is_smaller_and_nearly_ranks_crops_as_fp32_does(backbone, capfd):
    model = to_onnx(PixelScorer(lively(backbone, width=0.25), 32, None))
    small = to_int8(model, [pictures(40, 32, seed=2)])
    assert len(small) < len(model) / 2
    before, after = (OnnxDetector(one).score(pictures(60, 32, seed=3)) for one in (model, small))
    # Networks with random weights lose more than trained ones, whose scores move by 0.02.
    assert 0 < np.abs(after - before).mean() < 0.15
    assert np.corrcoef(before, after)[0, 1] > 0.8
    assert capfd.readouterr().err == ""  # a command prints its own lines alone
    alone = OnnxDetector(small).score(pictures(60, 32, seed=3)[:1])
    assert alone[0] == pytest.approx(after[0], abs=1e-6)


def test_patches_are_still_cut_inside_an_int8_model_and_colours_are_not_quantised():
    scorer = PixelScorer(lively(width=0.25), 32, Patches(2))
    model = to_onnx(scorer)
    small = to_int8(model, [pictures(20, 50, seed=2), pictures(20, 61, seed=3)])
    faces = pictures(12, 57, seed=4)
    before, after = (OnnxDetector(one).score(faces) for one in (model, small))
    assert 0 < np.abs(after - before).max() < 0.2
    graph = onnx.load_model_from_string(small).graph
    feeds = {node.op_type: [n for n in graph.node if node.output[0] in n.input] for node in graph.node}
    assert all(n.op_type != "DequantizeLinear" for n in feeds["ArgMax"])
    assert sum(node.op_type == "Conv" for node in graph.node) == 13
