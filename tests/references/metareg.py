"""MetaReg: the gradients of a linear classifier are written out, and so is its unrolled training."""

import torch
import torch.nn.functional as f

from tests.reference import bce


def pooled(net, image):
    x, _ = net.features(image)
    for k in ("2_1", "2_2", "2_3"):
        x = net.layer("M", k, x, net.weights, True)
        if k != "2_3":
            x = f.max_pool2d(x, 2)
    return x.mean((2, 3))


def first(net, batches, rule):
    heads, bias, phi = (net.weights[f"X.{n}"] for n in ("heads.weight", "heads.bias", "regulariser.phi"))
    total, seen = torch.zeros(()), []
    for b, d in zip(batches, rule["domains"], strict=True):
        x = pooled(net, b.image)
        total = total + bce(x @ heads[d] + bias[d], b.label)
        seen.append(torch.cat([x.detach(), torch.ones(len(x), 1, dtype=x.dtype)], 1))
    a = rule["domains"][0]
    beta = torch.cat([heads[a], bias[a : a + 1]]).detach()
    for _ in range(rule["steps"]):
        error = torch.sigmoid(seen[0] @ beta) - batches[0].label
        beta = beta - rule["alpha"] * (seen[0].T @ error / len(error) + phi * torch.sign(beta).detach())
    return total + bce(seen[-1] @ beta, batches[-1].label)


def second(net, batches, rule):
    phi = net.running["X.regulariser.phi"]
    weight, bias = net.weights["M.fc2_1.weight"], net.weights["M.fc2_1.bias"]
    total = torch.zeros(())
    for b in batches:
        total = total + bce(pooled(net, b.image) @ weight[0] + bias, b.label)
        total = total + (torch.relu(phi[:-1]) * weight[0].abs()).sum() + torch.relu(phi[-1]) * bias.abs().sum()
    return total


METHODS = {"metareg/0/0": first, "metareg/1/0": second}
SURROGATES = {"metareg/0/0"}  # φ alone feels the second term
