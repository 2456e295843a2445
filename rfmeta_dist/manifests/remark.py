"""Give rules safe access to a manifest whose shape may be wrong, and define what they say about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from rfmeta_dist.manifests.finding import Kind, Path


class Remark(NamedTuple):
    """What is said about one place in a manifest; see `Finding`."""

    path: Path
    problem: str
    remedy: str
    kind: Kind = "error"


@dataclass(frozen=True)
class Place:
    """A place in a manifest, which may be absent or of another type than expected.

    Attributes:
        value: what stands there; None if nothing does.
        path: how to get there from the top of the manifest.
    """

    value: Any
    path: Path = ()

    def at(self, *steps: str | int) -> Place:
        """Return the place below this one; its value is None if it does not exist."""
        value = self.value
        for step in steps:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = None
        return Place(value, (*self.path, *steps))

    def items(self) -> Iterator[Place]:
        """Yield the items of a list; none if it is not a list."""
        for index in range(len(self.value) if isinstance(self.value, list) else 0):
            yield self.at(index)

    def fields(self) -> Iterator[tuple[str, Place]]:
        """Yield name and place of each field of a mapping; none if it is not a mapping."""
        for name in self.value if isinstance(self.value, dict) else ():
            yield name, self.at(name)

    @property
    def given(self) -> bool:
        """Whether a value stands here."""
        return self.value is not None

    @property
    def text(self) -> str:
        """The text that stands here; empty if it is not a text."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def number(self) -> float | None:
        """The number that stands here; None if it is not a number."""
        ok = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        return self.value if ok else None

    @property
    def true(self) -> bool:
        """Whether `true` stands here."""
        return self.value is True

    def error(self, problem: str, remedy: str) -> Remark:
        """Return a remark on this place: Kubernetes or KubeRay refuses the manifest."""
        return Remark(self.path, problem, remedy, "error")

    def risk(self, problem: str, remedy: str) -> Remark:
        """Return a remark on this place: it is accepted, but unsafe, or does not do what it says."""
        return Remark(self.path, problem, remedy, "risk")

    def advice(self, problem: str, remedy: str) -> Remark:
        """Return a remark on this place: it is accepted, and easily a mistake."""
        return Remark(self.path, problem, remedy, "advice")
