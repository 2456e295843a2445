"""Steps that several references share: M's pooled features, and distances between samples."""

import torch
import torch.nn.functional as f


def pooled(net, deep, track=True):
    x = net.layer("M", "2_1", deep, net.weights, track)
    x = net.layer("M", "2_2", f.max_pool2d(x, 2), net.weights, track)
    return net.layer("M", "2_3", f.max_pool2d(x, 2), net.weights, track).mean((2, 3))


def linear(net, name, x):
    return x @ net.weights[f"{name}.weight"].T + net.weights[f"{name}.bias"]


def perceptron(net, name, x):
    return linear(net, f"{name}.fc2", torch.relu(linear(net, f"{name}.fc1", x)))


def classified(net, deep):
    """The pooled features of a domain and its logits."""
    h = pooled(net, deep)
    return h, linear(net, "M.fc2_1", h)[:, 0]


def unit(h):
    return h / (h * h).sum(1, keepdim=True).sqrt()


def apart(a, b):
    """The distance of two samples."""
    return ((a - b) ** 2).sum().sqrt()
