"""Define the interface of an extractor, which computes the features of face crops."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kernel = Literal["rbf", "linear"]


class Extractor(Protocol):
    """An object that computes the features of face crops. Its class names how they are classified.

    Attributes:
        kernel: kernel of the support vector machine that suits the features.
        by_attack: True if one classifier is fitted for each attack type, and the least of their margins counts.
    """

    kernel: ClassVar[Kernel]
    by_attack: ClassVar[bool]

    @property
    def length(self) -> int:
        """Return d, the number of features of a crop."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that the features depend on, as JSON represents them; `extractor` takes them."""
        ...

    def features(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the features of B×S×S×3 RGB crops: B×d finite numbers, each crop's independent of others."""
        ...


def extractor(rule: str, settings: dict[str, Any]) -> Extractor:
    """Make an extractor.

    Args:
        rule: its class, as `package.module:Class`, below `rfmeta_dist.texture`.
        settings: from its `settings`, or more: what it does not know is left out.

    Raises:
        ValueError: there is no such class.
    """
    module, _, name = rule.partition(":")
    if not module.startswith("rfmeta_dist.texture."):
        raise ValueError(f"{rule} is no extractor of rfmeta_dist.texture")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"there is no extractor {rule} in this version") from error
    known = kind.__dataclass_fields__
    made: Extractor = kind(**{key: value for key, value in settings.items() if key in known})
    return made
