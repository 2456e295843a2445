"""Complete and check the configuration of a run within one domain, by an official protocol such as O/3_2."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from rfmeta_dist.config.methods import METHODS

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_WITHIN = rf"^{_NAME}/{_NAME}$"
Within = Annotated[str, Field(pattern=_WITHIN)]
Target = Annotated[str, Field(pattern=rf"^{_NAME}(/{_NAME})?$")]


def domain_of(name: str) -> str:
    """Return the domain of a target: `O` of `O/3_2`, and `O` of `O`. It names the folder of the shards."""
    return name.partition("/")[0]


def protocol_of(within: str) -> str:
    """Return the protocol in a name such as `O/3_2`: `3_2`."""
    return within.partition("/")[2]


def filled(data: dict[str, Any]) -> dict[str, Any]:
    """Return a `data` section with the sources and the target that follow from its field `within`.

    The source is the domain. The target has the name of the protocol, because its results must not be mistaken
    for those of the whole domain, or of the part that set the threshold.

    Raises:
        ValueError: `within` is no name of this form, or sources or target contradict it.
    """
    within, target = data.get("within"), data.get("target")
    if within is None:
        if isinstance(target, str) and "/" in target:
            raise ValueError(
                f"target={target} is an official protocol within a domain, and its other parts must train; "
                f"set data.within={target}, and remove data.sources and data.target"
            )
        return data
    if not isinstance(within, str) or not re.match(_WITHIN, within):
        raise ValueError(
            f"within={within} is not a domain and one of its official protocols, such as O/1 or O/3_2; "
            "set data.within to DOMAIN/PROTOCOL"
        )
    domain = domain_of(within)
    if data.get("sources") not in (None, [domain], (domain,)) or (
        target is not None and "/" not in str(target)
    ):
        raise ValueError(
            f"within={within} trains and judges on parts of {domain} alone, but data.sources or data.target "
            f"names other domains; remove both, or set data.sources=[{domain}] and data.target=null"
        )
    return data | {"sources": [domain], "target": within}


def judged_on_test(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration in which a run within a domain is judged on split `test` if no other is named."""
    data, evaluation = tree.get("data"), tree.get("evaluation") or {}
    within = data.get("within") if isinstance(data, dict) else getattr(data, "within", None)
    if within and isinstance(evaluation, dict) and evaluation.get("target_split", "all") == "all":
        return tree | {"evaluation": evaluation | {"target_split": "test"}}
    return tree


def require_possible(within: str, method: str, target_split: str) -> None:
    """Check that a method can train on one domain, and that the test part is judged.

    Raises:
        ValueError: the method needs several domains, or another part is to be judged.
    """
    if METHODS[method].meta_test:
        able = " or ".join(name for name, facts in METHODS.items() if not facts.meta_test)
        raise ValueError(
            f"method {method} trains on some domains and tests each step on another one, but "
            f"data.within={within} has one domain; set method.name={able}"
        )
    if target_split != "test":
        raise ValueError(
            f"evaluation.target_split={target_split}, but data.within={within} judges its test part; "
            "remove evaluation.target_split"
        )
