"""MADDG: both phases, with the critics and the triplets spelt out."""

from itertools import combinations

import torch
import torch.nn.functional as f

from tests.reference import Network, bce
from tests.references._pooled import apart, classified, unit


def own(net, k):
    """A network whose F and D are those of source k. It has running statistics of its own."""
    names = {f"X.extractor_{k}.": "F.", f"X.depth_{k}.": "D."}
    parts = {n: w for part in (net.weights, net.running) for n, w in part.items()}
    found = {
        new + n.removeprefix(old): w
        for old, new in names.items()
        for n, w in parts.items()
        if n.startswith(old)
    }
    return Network(found, found, net.momentum)


def extractors(net, batches, rule):
    total = torch.zeros(())
    for b, k in zip(batches, rule["domains"], strict=True):
        source = own(net, k)
        depth = source.depth(source.features(b.image, track=False)[1], track=False)
        total = total + ((depth - b.depth) ** 2).mean()
    return total / len(batches)


def depth(net, batches, rule):
    total = torch.zeros(())
    for b in batches:
        total = total + ((net.depth(net.features(b.image)[1]) - b.depth) ** 2).mean()
    return total / len(batches)


def judged(net, k, x):
    for layer in range(3):
        weight = net.weights[f"X.critic_{k}.convs.{layer}.weight"]
        scale, shift = (net.weights[f"X.critic_{k}.bns.{layer}.{n}"] for n in ("weight", "bias"))
        large = x.shape[-1] > 4
        x = f.conv2d(x, weight, stride=2, padding=1) if large else f.conv2d(x, weight, padding=2)[..., 1:, 1:]
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        x = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
        x = x * scale[:, None, None] + shift[:, None, None]
        x = torch.maximum(x, 0.2 * x)
    return f.conv2d(x, net.weights[f"X.critic_{k}.last.weight"], padding=1)


def triplets(h, label, margin):
    total = torch.zeros(())
    for x, kind in zip(h, label, strict=True):
        far = max(apart(x, y) for y, other in zip(h, label, strict=True) if other == kind and y is not x)
        near = min(apart(x, y) for y, other in zip(h, label, strict=True) if other != kind)
        total = total + torch.relu(far - near + margin)
    return total / len(h)


def shared(net, batches, rule):
    total, seen, n = torch.zeros(()), [], len(batches)
    for b in batches:
        deep, _ = net.features(b.image)
        h, logit = classified(net, deep)
        seen.append((list(unit(h)), list(b.label)))
        total = total + bce(logit, b.label) / n
        for k in rule["domains"]:
            total = total + ((judged(net, k, deep) - 1) ** 2).mean() / n**2
    for (h, y), (h2, y2) in combinations(seen, 2):
        total = total + triplets(h + h2, y + y2, 0.5)
    return total + 0.1 * sum(triplets(h, y, 0.1) for h, y in seen)


def critics(net, batches, rule):
    total = torch.zeros(())
    deep = [net.features(b.image, track=False)[0].detach() for b in batches]
    for b, k in zip(batches, rule["domains"], strict=True):
        real = own(net, k).features(b.image, track=False)[0].detach()
        fake = sum((judged(net, k, x) ** 2).mean() for x in deep) / len(deep)
        total = total + 0.5 * (((judged(net, k, real) - 1) ** 2).mean() + fake)
    return total


METHODS = {"maddg/0/0": extractors, "maddg/1/0": depth, "maddg/1/1": shared, "maddg/1/2": critics}
SURROGATES = {"maddg/1/2"}
