"""Reptile: torch's own SGD takes a step on each domain in turn, on a copy of the weights."""

import torch

from tests.reference import Network, bce


def walk(net, batches, alpha):
    """Return the weights before each step and after the last one, and the loss before each step."""
    own = {n: w.detach().clone().requires_grad_() for n, w in net.weights.items() if n.startswith(("F.", "M."))}
    sgd = torch.optim.SGD(own.values(), lr=alpha)
    places, losses = [{n: w.detach().clone() for n, w in own.items()}], []
    for k, b in enumerate(batches):
        at = Network({**net.weights, **own}, net.running, net.momentum)
        deep, _ = at.features(b.image, track=k == 0)
        loss = bce(at.logit(deep, at.weights if k else None), b.label)
        if k == 0:
            net.running.update(at.running)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        places.append({n: w.detach().clone() for n, w in own.items()})
        losses.append(loss.detach())
    return places, losses


def reptile(net, batches, rule):
    places, losses = walk(net, batches, rule["alpha"])
    total = torch.stack(losses).mean()
    for n, end in places[-1].items():
        w = net.weights[n]
        total = total + ((w.detach() - end) * (w - w.detach())).sum()
    return total


METHODS = {"reptile": reptile}
SURROGATES = {"reptile"}  # the gradient is a displacement, and the value a loss
