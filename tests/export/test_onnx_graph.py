"""The ONNX model scores pixels as PyTorch does: every extractor, patches, any batch, edge colours."""

import itertools
import os

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.export.graph import PixelScorer, opset_of, to_onnx
from rfmeta_dist.export.session import OnnxDetector
from rfmeta_dist.recipes.gradient import GradientDetector
from tests.lively import lively, pictures

CLOSE = 2e-5
BACKBONES = ("paper", "vit_micro", "convnext_micro")


def both(backbone: str, model: bytes | None = None) -> tuple[GradientDetector, OnnxDetector]:
    nets = lively(backbone)
    trained = GradientDetector(nets, Model(backbone=backbone, width=0.1))
    return trained, OnnxDetector(model or to_onnx(PixelScorer(nets, 32, None)))


@pytest.fixture(scope="module")
def model() -> bytes:
    """The exported model of the paper's extractor: an export takes seconds."""
    return to_onnx(PixelScorer(lively(), 32, None))


@pytest.fixture(scope="module")
def whole(model) -> tuple[GradientDetector, OnnxDetector]:
    return both("paper", model)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_extractor_scores_as_in_pytorch_in_batches_of_any_size(backbone, model):
    trained, exported = both(backbone, model if backbone == "paper" else None)
    faces = pictures(40, 32)
    wanted = trained.score(faces)
    assert np.ptp(wanted) > 0.5
    for batch in (1, 7, 40):
        parts = [exported.score(faces[start : start + batch]) for start in range(0, 40, batch)]
        assert np.abs(np.concatenate(parts) - wanted).max() < CLOSE, batch


def test_a_crops_score_has_the_same_bits_in_every_batch(whole):
    _, exported = whole
    faces = pictures(23, 32, seed=5)
    alone = np.concatenate([exported.score(face[None]) for face in faces])
    for batch in (2, 7, 23):
        parts = [exported.score(faces[start : start + batch]) for start in range(0, 23, batch)]
        assert np.array_equal(np.concatenate(parts), alone), batch


def test_an_empty_batch_has_no_scores(whole):
    assert whole[1].score(pictures(2, 32)[:0]).shape == (0,)


def test_greys_ties_of_two_channels_and_pure_colours_score_as_in_pytorch(whole):
    trained, exported = whole
    levels = (0, 1, 127, 128, 254, 255)
    colours = np.array(list(itertools.product(levels, repeat=3)), np.uint8)
    flat = np.broadcast_to(colours[:, None, None], (len(colours), 32, 32, 3)).copy()
    greys = np.repeat(np.random.default_rng(0).integers(0, 256, (8, 32, 32, 1), np.uint8), 3, axis=3)
    ties = np.random.default_rng(1).choice(np.array(levels, np.uint8), (16, 32, 32, 3))
    for faces in (flat, greys, ties):
        assert np.abs(exported.score(faces) - trained.score(faces)).max() < CLOSE


MORE = [pytest.param(*rule, marks=pytest.mark.drill) for rule in ((3, 0.5), (4, 0.2))]


@pytest.mark.parametrize(("grid", "middle"), [(1, 0.5), (2, 1.0), (3, 0.2), *MORE])
def test_patches_are_cut_and_averaged_as_in_judging_whatever_the_size_of_the_crop(grid, middle):
    nets, patches = lively(side=32), Patches(grid, middle)
    trained = GradientDetector(nets, Model(width=0.1))
    exported = OnnxDetector(to_onnx(PixelScorer(nets, 32, patches)))
    for side in (32, 33, 35, 40, 57, 80, 151):
        faces = pictures(5, side, seed=side)
        places = patches.scored(side, 32)
        wanted = [
            trained.score(np.stack([face[top : top + 32, left : left + 32] for left, top in places])).mean()
            for face in faces
        ]
        found = exported.score(faces)
        assert np.abs(found - np.array(wanted)).max() < CLOSE, side
        assert np.array_equal(np.concatenate([exported.score(face[None]) for face in faces]), found)


@pytest.mark.parametrize(
    "faces",
    [
        np.zeros((2, 64, 64, 3), np.uint8),
        np.zeros((2, 32, 32, 3), np.float32),
        np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
    ],
)
def test_other_sizes_types_and_layouts_are_refused(whole, faces):
    with pytest.raises(InvalidArgument):
        whole[1].score(faces)


def test_the_same_model_gives_the_same_bytes_and_tells_nothing_of_this_machine(whole, model):
    nets = whole[0].nets
    assert model == to_onnx(PixelScorer(nets, 32, None))
    text = model.decode("latin-1")
    for place in ("/site-packages/", ".py", os.getcwd()):
        assert place not in text
    graph = onnx.load_model_from_string(model).graph
    assert [i.name for i in graph.input] == ["image"]
    assert [o.name for o in graph.output] == ["score"]
    assert opset_of(model) >= 18
    depth = sum(p.numel() for p in nets.D.parameters())  # the depth estimator is for training only
    weights = sum(int(np.prod(i.dims)) for i in graph.initializer)
    assert weights < sum(p.numel() for p in nets.parameters()) - depth / 2
