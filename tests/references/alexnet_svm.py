"""AlexNet from the weights alone."""

import torch
import torch.nn.functional as f

from tests.reference import bce

KEPT = 0.5


def pooled(weights, image):
    """The features of the last pool of B×6×S×S."""

    def conv(k, x, stride, padding):
        w, b = (weights[f"X.network.conv{k}.{part}"] for part in ("weight", "bias"))
        patches = f.unfold(x, w.shape[2:], padding=padding, stride=stride)
        side = (x.shape[-1] + 2 * padding - w.shape[-1]) // stride + 1
        return (w.flatten(1) @ patches + b[:, None]).unflatten(2, (side, side)).clamp_min(0)

    def pool(x):
        return x.unfold(2, 3, 2).unfold(3, 3, 2).amax(dim=(4, 5))

    x = pool(conv(1, resized(image[:, :3]) - 0.5, 4, 2))
    x = pool(conv(2, x, 1, 2))
    return pool(conv(5, conv(4, conv(3, x, 1, 1), 1, 1), 1, 1)).flatten(1)


def resized(image):
    """Bilinear interpolation to 128×128 with the centres of pixels, as a matrix for each axis."""
    side = image.shape[-1]
    at = ((torch.arange(128, dtype=image.dtype) + 0.5) * side / 128 - 0.5).clamp_min(0)
    low = at.floor().long()
    high, share = (low + 1).clamp_max(side - 1), at - low
    matrix = torch.zeros(128, side, dtype=image.dtype)
    rows = torch.arange(128)
    matrix.index_put_((rows, low), 1 - share, accumulate=True)
    matrix.index_put_((rows, high), share, accumulate=True)
    return matrix @ image @ matrix.T


def alexnet_svm(net, batches, rule):
    w, total = net.weights, torch.zeros(())
    for i, b in enumerate(batches):
        x = pooled(w, b.image)
        hidden = len(w["X.network.fc6.bias"])
        kept = torch.rand((2, len(x), hidden), generator=rule["draw"]("dropout", i), dtype=torch.float32) < KEPT
        for k, name in enumerate(("fc6", "fc7")):
            x = (
                (x @ w[f"X.network.{name}.weight"].T + w[f"X.network.{name}.bias"]).clamp_min(0)
                * kept[k]
                / KEPT
            )
        logit = x @ w["X.network.fc8.weight"][0] + w["X.network.fc8.bias"]
        total = total + bce(logit, b.label)
    return total


METHODS = {"alexnet_svm": alexnet_svm}
