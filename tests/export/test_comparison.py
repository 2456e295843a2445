"""An exported model that scores otherwise than the trained one is refused: HSV, sigmoid, patches, verdicts."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.errors import DivergedError, VerificationError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.detectors.api import View
from rfmeta_dist.export import check, crops
from rfmeta_dist.export.graph import PixelScorer, to_onnx
from rfmeta_dist.export.session import OnnxDetector
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.recipes.gradient import GradientDetector
from tests.lively import lively, pictures

VIEW = View(32)
CUTS = {"frame": 0.4, "video": 0.6}


class HalfCircle(PixelScorer):
    """Hue as OpenCV's 8 bits have it, from 0 to 179."""

    def channels(self, image: Tensor) -> Tensor:
        six = super().channels(image)
        return torch.cat([six[:, :3], six[:, 3:4] * (179 / 255), six[:, 4:]], dim=1)


class GreyIsRed(PixelScorer):
    """Saturation of value, without the division by the largest channel."""

    def channels(self, image: Tensor) -> Tensor:
        six = super().channels(image)
        return torch.cat([six[:, :4], six[:, 4:5] * six[:, 5:], six[:, 5:]], dim=1)


class BlueFirst(PixelScorer):
    """BGR instead of RGB."""

    def channels(self, image: Tensor) -> Tensor:
        return super().channels(image.flip(3))


class HardSigmoid(PixelScorer):
    """The piecewise linear sigmoid."""

    def score(self, image: Tensor) -> Tensor:
        return torch.clamp(0.2 * self.nets.logits(self.channels(image)).double() + 0.5, 0, 1)


class Warmer(PixelScorer):
    """A sigmoid whose argument is wrong by one percent."""

    def score(self, image: Tensor) -> Tensor:
        return torch.sigmoid(1.01 * self.nets.logits(self.channels(image)).double())


class Corner(PixelScorer):
    """The score of one patch instead of the mean of all."""

    def _pooled(self, image: Tensor, patches: Patches) -> Tensor:
        return self.score(image[:, : self.side, : self.side])


class Unconverted:
    """A scorer in PyTorch, as a detector: what a scorer gets wrong, its exported model gets wrong as well.

    That the conversion itself changes nothing is proved by test_onnx_graph; it takes seconds for each scorer.
    """

    kind, wants = "unconverted", "frame"

    def __init__(self, scorer: PixelScorer) -> None:
        self.scorer = scorer.eval()

    @torch.no_grad()
    def score(self, faces: np.ndarray) -> np.ndarray:
        return self.scorer(torch.from_numpy(faces)).double().numpy()


def converted(scorer: PixelScorer) -> OnnxDetector:
    return OnnxDetector(to_onnx(scorer))


class Shifted:
    """A detector whose scores are those of another plus a constant."""

    kind, wants = "shifted", "frame"

    def __init__(self, detector: GradientDetector, by: float) -> None:
        self.detector, self.by = detector, by

    def score(self, faces: np.ndarray) -> np.ndarray:
        return np.clip(self.detector.score(faces) + self.by, 0, 1)


@pytest.fixture(scope="module")
def nets() -> Networks:
    return lively()


@pytest.fixture(scope="module")
def trained(nets: Networks) -> GradientDetector:
    return GradientDetector(nets, Model(width=0.1))


def compared(trained, exported, view=VIEW, cuts=CUTS, side=32):
    stacks = crops.stacked(list(pictures(48, side, seed=1)))
    return check.compare(trained, exported, stacks, view, cuts, lambda _: None)


def test_the_right_model_passes_and_the_result_says_on_what(nets, trained):
    right = PixelScorer(nets, 32, None)
    assert max(compared(trained, Unconverted(right)).difference) < 2e-5  # so mutants are refused as mutants
    found = compared(trained, converted(right))
    assert (found.crops, found.batches, found.flipped, found.thresholds) == (48, (1, 5, 16), 0, 2)
    assert max(found.difference) < 2e-5
    assert not found.narrow


@pytest.mark.parametrize(
    ("mutant", "made"),
    [
        *((mutant, Unconverted) for mutant in (HalfCircle, GreyIsRed, BlueFirst, HardSigmoid)),
        (Warmer, converted),
    ],
)
def test_a_mutation_of_colours_or_of_the_sigmoid_is_refused(nets, trained, mutant, made):
    with pytest.raises(VerificationError, match=r"does not score as the trained one.*nothing was written"):
        compared(trained, made(mutant(nets, 32, None)))


def test_wrong_patches_are_refused(nets, trained):
    patches = Patches(2)
    view = View(32, patches=patches)
    for made in (Unconverted, converted):
        right = made(PixelScorer(nets, 32, patches))
        assert max(compared(trained, right, view, side=50).difference) < 2e-5
    for mutant, rule in ((Corner, patches), (PixelScorer, Patches(2, 0.2)), (PixelScorer, Patches(3))):
        with pytest.raises(VerificationError):
            compared(trained, Unconverted(mutant(nets, 32, rule)), view, side=50)


def test_one_verdict_that_differs_is_refused_though_scores_hardly_do(trained):
    score = float(trained.score(pictures(48, 32, seed=1)[:16])[5])  # in a batch as the comparison has it
    assert compared(trained, Shifted(trained, 5e-5), cuts={"video": 2.0}).flipped == 0
    with pytest.raises(VerificationError, match=r"by up to [45]\.\de-05 .* and 1 verdicts differ"):
        compared(trained, Shifted(trained, 5e-5), cuts={"video": score + 2e-5})


def test_a_score_on_the_edge_of_a_threshold_is_counted_and_not_refused(trained):
    score = float(trained.score(pictures(48, 32, seed=1)[:16])[5])  # in a batch as the comparison has it
    found = compared(trained, Shifted(trained, -5e-6), cuts={"video": score})
    assert (found.flipped, found.on_edge) == (0, 1)


def test_scores_that_hardly_spread_are_told(nets):
    fresh = Networks(0.1).initialise(0).eval()
    trained = GradientDetector(fresh, Model(width=0.1))
    assert compared(trained, Unconverted(PixelScorer(fresh, 32, None))).narrow


def test_scores_that_are_no_numbers_name_the_crop():
    broken = lively(seed=4)
    with torch.no_grad():
        broken.M.fc2_1.bias.fill_(float("nan"))
    trained = GradientDetector(broken, Model(width=0.1))
    with pytest.raises(DivergedError, match="1 of the comparison"):
        compared(trained, trained)


def test_shipped_crops_fit_every_view():
    assert {crop.shape for crop in crops.shipped(View(32))} == {(32, 32, 3)}
    assert {crop.shape for crop in crops.shipped(View(256))} == {(256, 256, 3)}
    assert {crop.shape for crop in crops.shipped(View(64, patches=Patches()))} == {(80, 80, 3)}
    large = crops.shipped(View(128, patches=Patches()))
    assert {crop.shape for crop in large} == {(128, 128, 3)}
    assert len(large) == crops.WANTED
    assert len({crop.tobytes() for crop in large}) == crops.WANTED


def test_crops_of_native_sizes_are_joined_without_resizing():
    faces = [pictures(1, side, seed=side)[0] for side in range(40, 100)]
    stacks = crops.stacked(faces)
    assert [stack.shape[:2] for stack in stacks] == [(25, 40), (25, 65), (10, 90)]
    assert np.array_equal(stacks[0][24], faces[24][12:52, 12:52])
    same = crops.stacked([*pictures(30, 40), *pictures(30, 50)])
    assert [stack.shape[:2] for stack in same] == [(30, 40), (30, 50)]
