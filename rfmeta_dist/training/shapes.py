"""Compare the names and shapes of stored tensors with those of the networks."""

from __future__ import annotations

from torch import Tensor, nn

from rfmeta_dist.strategy.api import MOMENTS, MOMENTUM, Tensors


def misfit(nets: nn.Module, weights: Tensors, moments: Tensors, of: str = "checkpoint") -> str:
    """Return a clause that names the first tensor that does not fit the networks; empty if all tensors fit.

    Args:
        nets: the networks that are to hold the weights.
        weights: tensors by name, as in the networks' `state_dict`.
        moments: the optimisers' moments, as `Strategy.moments` returns them. A parameter that never had a
            gradient has none; every other one must have all that its optimiser keeps.
        of: what the tensors are stored in, as a noun of the clause.
    """
    parameters = dict(nets.named_parameters())
    own: dict[str, Tensor] = {}
    for given in moments:
        key, _, name = given.partition(".")
        moment, at, turn = key.partition("@")
        together = next((keys for keys in (MOMENTS, MOMENTUM) if moment in keys), ())
        if name in parameters:
            own |= {f"{one}{at}{turn}.{name}": parameters[name] for one in together}
    return _first_difference(nets.state_dict(), weights, of) or _first_difference(own, moments, of)


def _first_difference(own: Tensors, given: Tensors, of: str) -> str:
    for name in sorted({*own, *given}):
        ours, theirs = (list(side[name].shape) if name in side else None for side in (own, given))
        if ours != theirs:
            return f"{name} is {_shape(theirs)} in the {of} and {_shape(ours)} in the networks"
    return ""


def _shape(shape: list[int] | None) -> str:
    return "missing" if shape is None else f"of shape {shape}"
