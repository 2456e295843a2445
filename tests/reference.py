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


def adapted(net: Network, losses, alpha: float, steps: int, first_order: bool) -> Weights:
    """Return θM' after a number of inner steps; `losses(weights, track)` computes the inner loss."""
    fast = {n: w for n, w in net.weights.items() if n.startswith("M.")}
    for k in range(steps):
        grads = torch.autograd.grad(losses(fast if k else None), list(fast.values()), create_graph=True)
        if first_order:
            grads = tuple(g.detach() for g in grads)
        fast = {n: w - alpha * g for (n, w), g in zip(fast.items(), grads, strict=True)}
    return fast


def pairs(net: Network, batches: list, rule: dict, first_order: bool = False, depth: bool = True) -> Tensor:
    *train, test = batches
    lam = rule["lam"] if depth else 0
    total, fast = torch.zeros(()), []
    for b in train:
        deep, shallow = net.features(b.image)
        once = bce(net.logit(deep), b.label)
        total = total + once
        if depth:
            total = total + lam * ((net.depth(shallow) - b.depth) ** 2).mean()

        def inner(weights, once=once, deep=deep, b=b):
            return once if weights is None else bce(net.logit(deep, weights), b.label)

        fast.append(adapted(net, inner, rule["alpha"], rule["steps"], first_order))
    deep, shallow = net.features(test.image)
    if depth:
        total = total + rule["mu"] * lam * ((net.depth(shallow) - test.depth) ** 2).mean()
    for weights in fast:
        total = total + rule["mu"] * bce(net.logit(deep, weights), test.label)
    return total


def first_order(net: Network, batches: list, rule: dict) -> Tensor:
    return pairs(net, batches, rule, first_order=True)


def no_depth(net: Network, batches: list, rule: dict) -> Tensor:
    return pairs(net, batches, rule, depth=False)


def no_meta(net: Network, batches: list, rule: dict) -> Tensor:
    total = torch.zeros(())
    for b in batches:
        deep, shallow = net.features(b.image)
        total = total + bce(net.logit(deep), b.label)
        total = total + rule["lam"] * ((net.depth(shallow) - b.depth) ** 2).mean()
    return total


def aggregate(net: Network, batches: list, rule: dict) -> Tensor:
    *train, test = batches
    if rule["joint"]:
        images, depths, labels = (
            [torch.cat([getattr(b, name) for b in train])] for name in ("image", "depth", "label")
        )
    else:
        images, depths, labels = ([getattr(b, name) for b in train] for name in ("image", "depth", "label"))
    scale = (len(train) if rule["sum"] else 1) / len(images)
    seen = [net.features(image) for image in images]
    once = scale * sum(bce(net.logit(deep), y) for (deep, _), y in zip(seen, labels, strict=True))

    def inner(weights):
        if weights is None:
            return once
        return scale * sum(bce(net.logit(deep, weights), y) for (deep, _), y in zip(seen, labels, strict=True))

    fast = adapted(net, inner, rule["alpha"], rule["steps"], False)
    dep = scale * sum(
        ((net.depth(shallow) - d) ** 2).mean() for (_, shallow), d in zip(seen, depths, strict=True)
    )
    deep, shallow = net.features(test.image)
    outer = (
        bce(net.logit(deep, fast), test.label) + rule["lam"] * ((net.depth(shallow) - test.depth) ** 2).mean()
    )
    return once + rule["lam"] * dep + rule["mu"] * outer


METHODS = {
    "rfmeta": pairs,
    "first_order": first_order,
    "aggregate": aggregate,
    "no_meta": no_meta,
    "no_depth": no_depth,
}
