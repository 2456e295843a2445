"""Define what the check reports: one finding for each mistake, with its place in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["error", "risk", "advice"]
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """One mistake in a manifest. It repeats no value of the manifest, because a value may be a credential.

    Attributes:
        source: the file's name, as given to `findings`.
        line: line of the field, counted from 1; None if the text has no such place.
        field: path of the field, such as spec.template.spec.containers[0].image; empty for a whole document.
        problem: what is wrong with the field.
        remedy: what to change.
        kind: error if Kubernetes or KubeRay refuses the manifest; risk if it is accepted, but gives a
            credential or the cluster to others, or does not do what it says; advice if it is easily a mistake.
    """

    source: str
    line: int | None
    field: str
    problem: str
    remedy: str
    kind: Kind = "error"

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        field = f" {self.field}:" if self.field else ""
        return f"{place}: {self.kind}:{field} {self.problem}; {self.remedy}"


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as users write it: spec.containers[0].env, with quotation marks where a name has dots."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("-", "").replace("_", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text
