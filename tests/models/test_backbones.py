"""The larger extractors have F's interface, and equal seeds give equal weights."""

import pytest
import torch
import torch.nn.functional as f
from torch import Tensor

from rfmeta_dist.models.attach import Attach, Backbone, resize
from rfmeta_dist.models.networks import Networks
from tests import episodes
from tests.models.extractors import MAKE, initialised, perturbed, pixels


def gradients(extractor: Backbone, size: int = 64) -> dict[str, Tensor | None]:
    loss = sum(torch.sin(torch.arange(y.numel()).view(y.shape)).mul(y).sum() for y in extractor(pixels(size)))
    assert isinstance(loss, Tensor)
    loss.backward()
    return {name: p.grad for name, p in extractor.named_parameters()}


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name in MAKE for size in (32, 64)] + [("vit_micro", 256), ("convnext_micro", 96)],
)
def test_features_fit_m_and_d(name, size):
    nets = Networks(0.1, extractor=initialised(name))
    features = nets.F(pixels(size).float())
    assert features.deep.shape == (2, 13, size // 8, size // 8)
    assert features.shallow.shape == (2, 39, size // 8, size // 8)
    assert nets.M(features.deep).shape == (2,)
    assert nets.D(features.shallow).shape == (2, 1, size // 8, size // 8)
    for feature in features:
        assert 0.3 < float(feature.detach().std()) < 3


@pytest.mark.parametrize("name", MAKE)
def test_every_parameter_takes_part(name):
    for parameter, gradient in gradients(perturbed(name)).items():
        assert gradient is not None, parameter
        assert gradient.abs().max() > 0, parameter


@pytest.mark.parametrize("name", MAKE)
def test_a_sample_does_not_see_the_others_and_training_is_evaluation(name):
    extractor, image = perturbed(name), pixels(32, count=3)
    with torch.no_grad():
        together, alone = extractor(image), extractor.eval()(image[1:2])
    for whole, one in zip(together, alone, strict=True):
        assert torch.allclose(whole[1:2], one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MAKE)
def test_recomputing_computes_blocks_twice_and_gives_the_same_gradients(name):
    calls = []
    results = []
    for checkpointing in (False, True):
        extractor = perturbed(name, checkpointing=checkpointing)
        block = next(m for m in extractor.modules() if type(m).__name__ == "_Block")
        block.register_forward_pre_hook(lambda *_, checkpointing=checkpointing: calls.append(checkpointing))
        results.append(gradients(extractor))
    assert calls == [False, True, True]
    kept, again = results
    for parameter, gradient in kept.items():
        other = again[parameter]
        assert gradient is not None
        assert other is not None
        assert torch.equal(gradient, other), parameter


@pytest.mark.parametrize("name", MAKE)
def test_weights_depend_on_seed_and_name_alone(name):
    a, b, c = (initialised(name, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(a[n], b[n]) for n in a)
    drawn = [n for n in a if not torch.equal(a[n], c[n])]
    assert drawn == [n for n in a if a[n].ndim > 1]
    deviation = {n: float(a[n].std()) for n in drawn if not n.startswith("attach.") and a[n].numel() > 500}
    assert deviation == pytest.approx(dict.fromkeys(deviation, 0.02), rel=0.15)
    for parameter in (n for n in a if a[n].ndim == 1):
        value = {"weight": 1.0, "bias": 0.0, "gamma": 1e-6}[parameter.rsplit(".", 1)[1]]
        assert torch.equal(a[parameter], torch.full_like(a[parameter], value)), parameter


@pytest.mark.parametrize("name", MAKE)
def test_bf16_is_near_float32(name):
    extractor, image = perturbed(name).float(), pixels(64).float()
    precise = extractor(image)
    with torch.autocast("cpu", torch.bfloat16):
        rough = extractor(image)
    for exact, near in zip(precise, rough, strict=True):
        assert episodes.relative(near.detach().float(), exact.detach()) < 0.03


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("before", "after"), [(14, 2), (14, 16), (1, 4), (8, 4), (4, 4), (5, 7)])
def test_resize_is_the_librarys(mode, before, after):
    x = torch.randn(2, before, before, 3, dtype=torch.float64)
    reference = f.interpolate(x.permute(0, 3, 1, 2), (after, after), mode=mode, antialias=True)
    assert torch.allclose(resize(x, after, mode), reference.permute(0, 2, 3, 1), rtol=1e-12, atol=1e-12)


def test_the_first_three_maps_are_shallow_and_the_last_is_deep():
    attach = Attach([4, 5, 6], width=0.1)
    maps = [torch.randn(2, side, side, c) for side, c in ((8, 4), (4, 5), (2, 6))]
    deep, shallow = attach(maps, 4)
    assert torch.equal(shallow[:, 26:], deep)
    changed = attach([maps[0], maps[1] + torch.randn(5), maps[2]], 4).shallow != shallow
    assert changed[:, 13:26].all()
    assert not changed[:, :13].any()
    assert not changed[:, 26:].any()
