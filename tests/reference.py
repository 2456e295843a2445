"""Algorithm 1 written a second time, from the paper's tables alone: plain functions on a dict of tensors.

Batch norm is spelt out, biases are added, nothing of ours is imported: an error would have to be made twice.
"""

import torch
import torch.nn.functional as f
from torch import Tensor

Weights = dict[str, Tensor]


class Network:
    """Forward passes with given weights; running statistics are updated in the order of the calls with θ."""

    def __init__(self, weights: Weights, running: Weights, momentum: dict[str, float]) -> None:
        self.weights, self.running, self.momentum = weights, dict(running), momentum

    def layer(self, net: str, k: str, x: Tensor, weights: Weights, track: bool) -> Tensor:
        conv, bn = f"{net}.conv{k}", f"{net}.bn{k}"
        x = f.conv2d(x, weights[f"{conv}.weight"], weights[f"{conv}.bias"], padding=1)
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        if track:
            count = x.numel() / x.shape[1]
            m = self.momentum[net]
            for name, value in (("mean", mean), ("var", var * count / (count - 1))):
                old = self.running[f"{bn}.running_{name}"]
                self.running[f"{bn}.running_{name}"] = (1 - m) * old + m * value.detach()
        x = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
        scale, shift = weights[f"{bn}.weight"], weights[f"{bn}.bias"]
        return torch.relu(x * scale[:, None, None] + shift[:, None, None])

    def features(self, x: Tensor, track: bool = True) -> tuple[Tensor, Tensor]:
        x = self.layer("F", "1_1", x, self.weights, track)
        pools = []
        for k in range(2, 11):
            x = self.layer("F", f"1_{k}", x, self.weights, track)
            if k in (4, 7, 10):
                x = f.max_pool2d(x, 2)
                pools.append(x)
        side = pools[-1].shape[-1]
        return x, torch.cat([f.adaptive_avg_pool2d(p, side) for p in pools], 1)

    def logit(self, x: Tensor, weights: Weights | None = None) -> Tensor:
        track, w = weights is None, {**self.weights, **(weights or {})}
        for k in ("2_1", "2_2", "2_3"):
            x = self.layer("M", k, x, w, track)
            if k != "2_3":
                x = f.max_pool2d(x, 2)
        return (x.mean((2, 3)) @ w["M.fc2_1.weight"].T + w["M.fc2_1.bias"])[:, 0]

    def depth(self, x: Tensor, track: bool = True) -> Tensor:
        for k in ("3_1", "3_2", "3_3"):
            x = self.layer("D", k, x, self.weights, track)
        return x


def bce(logit: Tensor, label: Tensor) -> Tensor:
    p = torch.sigmoid(logit)
    return -(label * p.log() + (1 - label) * (1 - p).log()).mean()


def rfmeta(
    net: Network, batches: list, alpha: float, lam: float, mu: float, first_order: bool = False
) -> Tensor:
    *train, test = batches
    learner = {n: w for n, w in net.weights.items() if n.startswith("M.")}
    total, fast = torch.zeros(()), []
    for b in train:
        deep, shallow = net.features(b.image)
        cls = bce(net.logit(deep), b.label)
        total = total + cls + lam * ((net.depth(shallow) - b.depth) ** 2).mean()
        grads = torch.autograd.grad(cls, list(learner.values()), create_graph=True)
        if first_order:
            grads = tuple(g.detach() for g in grads)
        fast.append({n: w - alpha * g for (n, w), g in zip(learner.items(), grads, strict=True)})
    deep, shallow = net.features(test.image)
    total = total + mu * lam * ((net.depth(shallow) - test.depth) ** 2).mean()
    for weights in fast:
        total = total + mu * bce(net.logit(deep, weights), test.label)
    return total


def no_meta(net: Network, batches: list, alpha: float, lam: float, mu: float) -> Tensor:
    total = torch.zeros(())
    for b in batches:
        deep, shallow = net.features(b.image)
        total = total + bce(net.logit(deep), b.label) + lam * ((net.depth(shallow) - b.depth) ** 2).mean()
    return total


METHODS = {"rfmeta": rfmeta, "no_meta": no_meta}
