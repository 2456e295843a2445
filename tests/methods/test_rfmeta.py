"""The meta-gradient against an independent computation of Algorithm 1, in float64."""

import pytest
import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.models.networks import Networks
from tests import episodes


class Plain(nn.Module):
    """F, M and D written again with PyTorch's own layers, from the table in the paper's supplement."""

    def __init__(self, nets: Networks) -> None:
        super().__init__()
        self.nets = nn.ModuleDict()
        for name in "FMD":
            own = nets.get_submodule(name)
            layers = nn.ModuleList()
            for key, conv in own.named_children():
                if not key.startswith("conv"):
                    continue
                norm = own.get_submodule(key.replace("conv", "bn"))
                copy = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1).double()
                copy.load_state_dict(conv.state_dict())
                bn = nn.BatchNorm2d(conv.out_channels, momentum=norm.momentum).double()
                bn.load_state_dict(norm.state_dict(), strict=False)
                layers.append(nn.Sequential(copy, bn, nn.ReLU()))
            self.nets[name] = layers
        self.fc = nn.Linear(nets.M.fc2_1.in_features, 1).double()
        self.fc.load_state_dict(nets.M.fc2_1.state_dict())

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x, pools = self.nets["F"][0](image), []
        for k, layer in enumerate(self.nets["F"][1:]):
            x = layer(x)
            if k % 3 == 2:
                x = f.max_pool2d(x, 2)
                pools.append(x)
        small = [f.adaptive_avg_pool2d(p, pools[2].shape[-2:]) for p in pools]
        return x, torch.cat(small, 1)

    def logit(self, deep: Tensor) -> Tensor:
        a, b, c = self.nets["M"]
        x = c(f.max_pool2d(b(f.max_pool2d(a(deep), 2)), 2))
        return self.fc(x.mean((2, 3))).squeeze(1)

    def depth(self, shallow: Tensor) -> Tensor:
        for layer in self.nets["D"]:
            shallow = layer(shallow)
        return shallow

    def learner(self) -> list[nn.Parameter]:
        return [*self.nets["M"].parameters(), *self.fc.parameters()]


def closed_form(plain: Plain, episode: Episode, alpha: float, lam: float, mu: float) -> float:
    """Fill `.grad` without differentiating through the inner update: with g_i the inner gradient and v_i the
    gradient of the meta-test loss at θM_i', the missing part is the gradient of −α ⟨g_i, v_i⟩, v_i held constant.
    """
    *train, test = episode.batches
    learner = plain.learner()
    value = 0.0
    for batch in train:
        deep, shallow = plain.features(batch.image)
        cls = f.binary_cross_entropy_with_logits(plain.logit(deep), batch.label)
        loss = cls + lam * f.mse_loss(plain.depth(shallow), batch.depth)
        inner = torch.autograd.grad(cls, learner, create_graph=True)
        statistics = [b.clone() for b in plain.buffers()]
        kept = [p.detach().clone() for p in learner]
        with torch.no_grad():
            for p, g in zip(learner, inner, strict=True):
                p.sub_(alpha * g)
        test_deep, _ = plain.features(test.image)
        test_loss = mu * f.binary_cross_entropy_with_logits(plain.logit(test_deep), test.label)
        test_loss.backward()
        with torch.no_grad():
            outer = []
            for p, before in zip(learner, kept, strict=True):
                outer.append(p.grad.clone())
                p.copy_(before)
                p.grad.zero_()
            for b, before in zip(plain.buffers(), statistics, strict=True):
                b.copy_(before)
        # What reached M's gradient at θM_i' belongs to θM as it is (the derivative of θM_i' by θM is 1 − αH).
        surrogate = sum((p * v).sum() for p, v in zip(learner, outer, strict=True))
        second = -alpha * sum((g * v).sum() for g, v in zip(inner, outer, strict=True))
        earlier = [None if p.grad is None else p.grad.clone() for p in learner]
        value += float(loss + test_loss)
        for p in learner:
            p.grad = None
        (loss + surrogate + second).backward()
        for p, e in zip(learner, earlier, strict=True):
            if e is not None:
                p.grad += e
        plain.total = [p.grad.clone() if not hasattr(plain, "total") else t + p.grad
                       for p, t in zip(learner, getattr(plain, "total", learner), strict=True)]
        for p in learner:
            p.grad = None
    _, shallow = plain.features(test.image)
    last = mu * lam * f.mse_loss(plain.depth(shallow), test.depth)
    last.backward()
    for p, t in zip(learner, plain.total, strict=True):
        p.grad = t
    return value + float(last)
