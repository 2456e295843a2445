"""MMD-AAE, with kernels and discrepancies sample by sample."""

from itertools import combinations

import torch
import torch.nn.functional as f

from tests.reference import bce
from tests.references._pooled import classified, linear, perceptron, pooled


def critic(net, batches, rule):
    total = torch.zeros(())
    for b, domain in zip(batches, rule["domains"], strict=True):
        h = pooled(net, net.features(b.image, track=False)[0], track=False).detach()
        drawn = torch.empty(h.shape, dtype=torch.float64).exponential_(generator=rule["draw"]("prior", domain))
        ones = torch.ones(len(h))
        total = total + bce(perceptron(net, "X.critic", drawn)[:, 0], ones)
        total = total + bce(perceptron(net, "X.critic", h)[:, 0], 0 * ones)
    return total / len(batches)


def decoded(net, h, side):
    x = torch.relu(linear(net, "X.decoder.fc", h)).view(len(h), -1, 4, 4)
    x = torch.kron(x, torch.ones(1, 1, side // 4, side // 4, dtype=x.dtype))
    for k, last in (("conv1", False), ("conv2", True)):
        w, b = (net.weights[f"X.decoder.{k}.{name}"] for name in ("weight", "bias"))
        x = f.conv2d(x, w, b, padding=1)
        x = x if last else torch.relu(x)
    return x


def discrepancy(features):
    samples = torch.cat(features)
    n = len(samples)
    scale = sum(((a - b) ** 2).sum() for a, b in combinations(samples, 2)) * 2 / (n * (n - 1))

    def kernel(x, y):
        squared = ((x[:, None] - y[None]) ** 2).sum(-1) / scale
        return sum(torch.exp(-squared / width) for width in (0.25, 1, 4)).mean()

    pairs = list(combinations(features, 2))
    return sum(kernel(x, x) + kernel(y, y) - 2 * kernel(x, y) for x, y in pairs) / len(pairs)


def encoder(net, batches, rule):
    total, features = torch.zeros(()), []
    for b in batches:
        h, logit = classified(net, net.features(b.image)[0])
        small = b.image.unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5))
        rec = ((decoded(net, h, small.shape[-1]) - small) ** 2).mean()
        adv = bce(perceptron(net, "X.critic", h)[:, 0], torch.ones(len(h)))
        total = total + bce(logit, b.label)
        total = total + rule["reconstruction_weight"] * rec + rule["prior_weight"] * adv
        features.append(h)
    return total / len(batches) + rule["mmd_weight"] * discrepancy(features)


METHODS = {"mmd_aae/0/0": critic, "mmd_aae/0/1": encoder}
SURROGATES = {"mmd_aae/0/0"}
