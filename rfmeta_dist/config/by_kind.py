"""Say what the kind of a method means for its settings and for the files of its runs."""

from __future__ import annotations

from rfmeta_dist.config.methods import METHODS, MethodFacts


def require_of_kind(name: str, facts: MethodFacts, start: str | None, view: str) -> None:
    """Check that a method of hand-made features is not asked for what only a training by gradient has.

    Args:
        name: name of the method.
        facts: its facts.
        start: `training.start`.
        view: `data.view`.

    Raises:
        ValueError: it is.
    """
    if facts.kind != "features":
        return
    if start is not None:
        raise ValueError(
            f"training.start={start}, but method {name} has no weights to begin with: its classifier is fitted "
            "anew; remove training.start"
        )
    if view != "face":
        raise ValueError(
            f"data.view={view}, but method {name} computes its features of whole faces; remove data.view"
        )


def in_steps(data: bytes) -> bool:
    """Return True if a run is trained in steps, and so has metrics of them and streams.

    Args:
        data: the run's config.yaml. If it names no method, the answer is True, so missing files are reported.
    """
    import yaml

    try:
        return METHODS[yaml.safe_load(data)["method"]["name"]].kind == "gradient"
    except (yaml.YAMLError, KeyError, TypeError):
        return True
