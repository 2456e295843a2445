"""MLDG: an inner update of the whole classifier on the sum of the meta-train losses, and one meta-test loss."""

import torch

from tests.reference import Network, bce


def mldg(net, batches, rule):
    *train, test = batches
    names = [n for n in net.weights if n.startswith(("F.", "M."))]
    seen, first = net, rule["mldg_order"] == "first"
    for k in range(rule["steps"]):
        loss = torch.zeros(())
        for b in train:
            deep, _ = seen.features(b.image, track=k == 0)
            loss = loss + bce(seen.logit(deep, seen.weights if k else None), b.label)
        if k == 0:
            once = loss
        grads = torch.autograd.grad(loss, [seen.weights[n] for n in names], create_graph=True)
        if first:
            grads = [g.detach() for g in grads]
        step = {n: seen.weights[n] - rule["alpha"] * g for n, g in zip(names, grads, strict=True)}
        seen = Network({**net.weights, **step}, net.running, net.momentum)
    deep, _ = seen.features(test.image, track=False)
    return once + rule["mu"] * bce(seen.logit(deep, seen.weights), test.label)


METHODS = {"mldg": mldg}
# F's inner gradient jumps where a ReLU or a maximum changes sides, and a large step multiplies the jump.
SMOOTH = {"mldg": {"inner_learning_rate": 1e-3}}
