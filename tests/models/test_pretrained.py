"""Weights with timm's names give the same features; tensors that do not fit are named in the error."""

import json

import pytest
import torch
import torch.nn.functional as f
from safetensors.torch import save_file
from torch import Tensor, nn

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.models.attach import Backbone
from rfmeta_dist.models.build import build, start
from rfmeta_dist.models.convnext import ConvNeXt
from rfmeta_dist.models.pretrained import IMAGENET, Standard, load_weights
from rfmeta_dist.models.vit import VisionTransformer
from tests.models.extractors import MAKE, initialised, perturbed, pixels

HALVES = Standard((0.5,) * 3, (0.5,) * 3)

# timm's names and shapes, worked out from the networks' definitions in timm 1.0.
VIT_TINY = {
    "cls_token": (1, 1, 192),
    "pos_embed": (1, 197, 192),
    "patch_embed.proj.weight": (192, 3, 16, 16),
    "patch_embed.proj.bias": (192,),
    "norm.weight": (192,),
    "norm.bias": (192,),
}
VIT_TINY_BLOCK = {
    "norm1.weight": (192,),
    "norm1.bias": (192,),
    "attn.qkv.weight": (576, 192),
    "attn.qkv.bias": (576,),
    "attn.proj.weight": (192, 192),
    "attn.proj.bias": (192,),
    "norm2.weight": (192,),
    "norm2.bias": (192,),
    "mlp.fc1.weight": (768, 192),
    "mlp.fc1.bias": (768,),
    "mlp.fc2.weight": (192, 768),
    "mlp.fc2.bias": (192,),
}
VIT_TINY |= {f"blocks.{n}.{name}": shape for n in range(12) for name, shape in VIT_TINY_BLOCK.items()}


def convnext_tiny() -> dict[str, tuple[int, ...]]:
    names: dict[str, tuple[int, ...]] = {"stem.0.weight": (96, 3, 4, 4)}
    names |= dict.fromkeys(("stem.0.bias", "stem.1.weight", "stem.1.bias"), (96,))
    for s, (c, depth) in enumerate(zip((96, 192, 384, 768), (3, 3, 9, 3), strict=True)):
        if s > 0:
            names |= {f"stages.{s}.downsample.0.{n}": (c // 2,) for n in ("weight", "bias")}
            names |= {
                f"stages.{s}.downsample.1.weight": (c, c // 2, 2, 2),
                f"stages.{s}.downsample.1.bias": (c,),
            }
        for b in range(depth):
            block = f"stages.{s}.blocks.{b}."
            vectors = ("gamma", "conv_dw.bias", "norm.weight", "norm.bias", "mlp.fc2.bias")
            names |= {block + n: (c,) for n in vectors}
            names |= {block + "conv_dw.weight": (c, 1, 7, 7), block + "mlp.fc1.bias": (4 * c,)}
            names |= {block + "mlp.fc1.weight": (4 * c, c), block + "mlp.fc2.weight": (c, 4 * c)}
    return names


@pytest.mark.parametrize(
    ("make", "name", "timm", "head", "total"),
    [
        (VisionTransformer, "vit_tiny", VIT_TINY, 192 * 1000 + 1000, 5_717_416),
        (ConvNeXt, "convnext_tiny", convnext_tiny(), 2 * 768 + 768 * 1000 + 1000, 28_589_128),
    ],
)
def test_names_and_shapes_are_timms(make, name, timm, head, total):
    with torch.device("meta"):
        extractor = make(name)
    ours = {n: tuple(t.shape) for n, t in extractor.state_dict().items() if not n.startswith("attach.")}
    first = f"{extractor.FIRST}.weight"
    assert ours[first][1] == 6
    assert ours | {first: timm[first]} == timm
    assert sum(torch.Size(shape).numel() for shape in timm.values()) + head == total


def published(extractor: Backbone) -> dict[str, Tensor]:
    """Weights as timm would publish them: three channels, a classifier, nothing of attach."""
    tensors = {n: t.clone() for n, t in extractor.state_dict().items() if not n.startswith("attach.")}
    first = f"{extractor.FIRST}.weight"
    tensors[first] = tensors[first][:, :3].contiguous()
    return tensors | {"head.weight": torch.ones(10, 64), "head.fc.bias": torch.ones(10)}


def pretrained_vit(w: dict[str, Tensor], rgb: Tensor) -> list[Tensor]:
    """vit_micro with the library's own encoder layers."""
    x = f.conv2d(rgb, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=16).flatten(2).mT
    positions = w["pos_embed"][:, 1:].mT.view(1, 64, 14, 14)
    positions = f.interpolate(positions, (4, 4), mode="bicubic", antialias=True).flatten(2).mT
    first = (w["cls_token"] + w["pos_embed"][:, :1]).expand(len(x), -1, -1)
    x = torch.cat([first, x + positions], dim=1)
    renamed = {"self_attn.in_proj_": "attn.qkv.", "self_attn.out_proj.": "attn.proj."}
    renamed |= {"linear1.": "mlp.fc1.", "linear2.": "mlp.fc2.", "norm1.": "norm1.", "norm2.": "norm2."}
    after = []
    for n in range(4):
        layer = nn.TransformerEncoderLayer(64, 2, 256, 0.0, f.gelu, 1e-6, True, norm_first=True).double()
        for theirs, ours in renamed.items():
            for kind in ("weight", "bias"):
                layer.get_parameter(theirs + kind).data = w[f"blocks.{n}.{ours}{kind}"]
        x = layer(x)
        after.append(x)
    after[-1] = f.layer_norm(x, (64,), w["norm.weight"], w["norm.bias"], 1e-6)
    return [after[n][:, 1:].view(-1, 4, 4, 64) for n in (0, 1, 3)]


def pretrained_convnext(w: dict[str, Tensor], rgb: Tensor) -> list[Tensor]:
    """convnext_micro with 1×1 convolutions for linear layers, and norms written out."""

    def norm(x: Tensor, name: str) -> Tensor:
        x = (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-6)
        return x * w[f"{name}.weight"].view(-1, 1, 1) + w[f"{name}.bias"].view(-1, 1, 1)

    def conv(x: Tensor, name: str, **options) -> Tensor:
        weight = w[f"{name}.weight"]
        return f.conv2d(
            x, weight if weight.ndim == 4 else weight[..., None, None], w[f"{name}.bias"], **options
        )

    x = norm(conv(rgb, "stem.0", stride=4), "stem.1")
    maps = []
    for s, depth in enumerate((1, 1, 2, 1)):
        if s > 0:
            x = conv(norm(x, f"stages.{s}.downsample.0"), f"stages.{s}.downsample.1", stride=2)
        for block in (f"stages.{s}.blocks.{b}" for b in range(depth)):
            y = norm(conv(x, f"{block}.conv_dw", padding=3, groups=x.shape[1]), f"{block}.norm")
            y = conv(f.gelu(conv(y, f"{block}.mlp.fc1")), f"{block}.mlp.fc2")
            x = x + w[f"{block}.gamma"].view(-1, 1, 1) * y
        maps.append(x.permute(0, 2, 3, 1))
    return maps


REFERENCE = {"vit_micro": pretrained_vit, "convnext_micro": pretrained_convnext}


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("standard", [IMAGENET, HALVES], ids=["imagenet", "halves"])
def test_pretrained_weights_give_the_pretrained_networks_features(name, standard, tmp_path):
    weights = published(perturbed(name))
    save_file(weights, tmp_path / "model.safetensors")
    if standard is not IMAGENET:
        (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": standard._asdict()}))
    extractor = initialised(name).double()
    before = {n: p.clone() for n, p in extractor.attach.named_parameters()}
    load_weights(extractor, str(tmp_path / "model.safetensors"))
    image = pixels(64)
    mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in standard)
    with torch.no_grad():
        reference = REFERENCE[name](weights, (image[:, :3] - mean) / std)
        for ours, theirs in zip(extractor.maps(image), reference, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10)
    assert all(torch.equal(p, before[n]) for n, p in extractor.attach.named_parameters())


def test_half_precision_files_are_taken(tmp_path):
    weights = {n: t.half() for n, t in published(perturbed("vit_micro")).items()}
    save_file(weights, tmp_path / "model.safetensors")
    extractor = initialised("vit_micro")
    load_weights(extractor, str(tmp_path / "model.safetensors"))
    assert torch.equal(
        extractor.get_parameter("blocks.2.mlp.fc1.weight"), weights["blocks.2.mlp.fc1.weight"].float()
    )
    assert {p.dtype for p in extractor.parameters()} == {torch.float32}


def lacking(weights: dict[str, Tensor]) -> None:
    del weights["norm.bias"]


def larger(weights: dict[str, Tensor]) -> None:
    weights["pos_embed"] = torch.zeros(1, 577, 64)


def foreign(weights: dict[str, Tensor]) -> None:
    weights |= {f"dist_token.{n}": torch.zeros(1) for n in range(5)}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lacking, "norm.bias is missing"),
        (larger, "pos_embed is 1×577×64 instead of 1×197×64"),
        (foreign, "dist_token.0 is not part of it, dist_token.1 is not part of it, .* and 2 more"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(spoil, words, tmp_path):
    weights = published(perturbed("vit_micro"))
    spoil(weights)
    save_file(weights, tmp_path / "model.safetensors")
    extractor = initialised("vit_micro")
    before = extractor.pos_embed.clone()
    with pytest.raises(ConfigError, match=words) as error:
        load_weights(extractor, str(tmp_path / "model.safetensors"))
    assert "model.weights" in error.value.problem
    assert torch.equal(extractor.pos_embed, before)


def test_a_missing_or_damaged_file_is_refused(tmp_path):
    file = tmp_path / "model.safetensors"
    extractor = initialised("vit_micro")
    with pytest.raises(ConfigError, match=r"model.weights=.* is not a file on this machine; download the file"):
        load_weights(extractor, str(file))
    file.write_bytes(b"not tensors at all")
    with pytest.raises(ConfigError, match=r"model.weights=.* cannot be read as safetensors"):
        load_weights(extractor, str(file))


def test_all_extractors_of_a_rule_begin_with_them(tmp_path):
    weights = published(perturbed("vit_micro"))
    save_file(weights, tmp_path / "model.safetensors")
    model = Model(backbone="vit_micro", weights=str(tmp_path / "model.safetensors"))
    extra = {"extractor_0": build(model).F, "other": nn.Linear(2, 2)}
    nets = start(model, 0, extra=extra)
    for extractor in (nets.F, nets.extra["extractor_0"]):
        assert torch.equal(extractor.get_parameter("norm.bias"), weights["norm.bias"].float())


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"pretrained_cfg": {"mean": [0.5], "std": [0.5, 0.5, 0]}}'])
def test_a_config_beside_the_file_that_is_not_timms_is_refused(text, tmp_path):
    save_file(published(perturbed("vit_micro")), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json, beside model.weights, has no pretrained_cfg"):
        load_weights(initialised("vit_micro"), str(tmp_path / "model.safetensors"))
