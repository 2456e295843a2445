"""SSDG, triplet by triplet. The reversal is a sum of two terms, of which each is constant for one side."""

import math

import torch

from tests.reference import bce
from tests.references._pooled import apart, classified, perceptron, unit


def triplets(features, labels):
    samples = [
        (x, 0 if live else 1 + domain)
        for domain, (h, label) in enumerate(zip(features, labels, strict=True))
        for x, live in zip(h, label, strict=True)
    ]
    distances = [[apart(a, b) if a is not b else torch.zeros(()) for b, _ in samples] for a, _ in samples]
    places = range(len(samples))
    over = []
    for a in places:
        for p in places:
            if p == a or samples[p][1] != samples[a][1]:
                continue
            found = (distances[a][p] - distances[a][n] + 0.1 for n in places if samples[n][1] != samples[a][1])
            over += [value for value in found if value > 0]
    return torch.stack(over).mean() if over else torch.zeros(())


def ssdg(net, batches, rule):
    setting = rule["setting"]
    c = 2 / (1 + math.exp(-10 * (rule["step"] + 1) / setting.steps)) - 1
    cls, domain, features = torch.zeros(()), torch.zeros(()), []
    for b, source in zip(batches, rule["domains"], strict=True):
        h, logit = classified(net, net.features(b.image)[0])
        h = unit(h)
        features.append(h)
        cls = cls + bce(logit, b.label)
        live = h[b.label == 1]
        # The value of h with the derivative −c.
        turned = (1 + c) * live.detach() - c * live
        logits = perceptron(net, "X.discriminator", turned)
        domain = domain + (logits.logsumexp(1) - logits[:, source]).mean()
    return (cls + rule["adversarial_weight"] * domain) / len(batches) + rule["triplet_weight"] * triplets(
        features, [b.label for b in batches]
    )


METHODS = {"ssdg": ssdg}
SURROGATES = {"ssdg"}
