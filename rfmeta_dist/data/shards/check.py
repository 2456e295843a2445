"""What a sample must fulfil before it is packed, so that no reader has to doubt it."""

from __future__ import annotations

import re

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE, SPLITS, Sample
from rfmeta_dist.data.shards.decode import FULL_DEPTH_SIZE, decode_depth, image_size

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_KEY_LENGTH = 90  # USTAR holds names of 100 characters, endings included


class Checker:
    """Checks the samples of one domain one after the other, remembering keys and subjects.

    Args:
        domain: letters, digits, `_` and `-`.
        native: accept images of different sizes.

    Attributes:
        image_size: side of the smallest image met, in pixels; 0 before the first.

    Raises:
        DataError: the domain's name is unfit.
    """

    def __init__(self, domain: str, *, native: bool = False) -> None:
        if not _NAME.fullmatch(domain):
            raise DataError(f"'{domain}' is not a valid domain name", "use letters, digits, '_' and '-' only")
        self._domain = domain
        self._native = native
        self._keys: set[str] = set()
        self._splits: dict[str, str] = {}
        self.image_size = 0

    def check(self, sample: Sample) -> None:
        """Refuse an unfit sample.

        A sample is fit if its key is new, names its domain and has no dots; its label agrees with
        its attack type; its subject is in no other split; its image is a square JPEG or PNG, of the
        size of all others unless they are native; its depth map is a 32×32 grey PNG, zero everywhere
        just for an attack, and so is the full one of 256×256, if it has one.

        Raises:
            DataError: naming the sample and what is wrong with it.
        """
        try:
            self._check_names(sample)
            self._check_meaning(sample)
            self._check_pixels(sample)
        except ValueError as error:
            raise DataError(
                f"sample '{sample.key}' cannot be packed: {error}",
                "correct the ingest of this source, or leave the sample out",
            ) from error

    def _check_names(self, sample: Sample) -> None:
        if sample.domain != self._domain:
            raise ValueError(f"it is of domain '{sample.domain}', not '{self._domain}'")
        if not _NAME.fullmatch(sample.key) or len(sample.key) > _KEY_LENGTH:
            raise ValueError(f"a key is up to {_KEY_LENGTH} letters, digits, '_' and '-'")
        if not sample.key.startswith(f"{self._domain}-"):
            raise ValueError(f"its key does not start with '{self._domain}-'")
        if sample.key in self._keys:
            raise ValueError("its key was used before")
        self._keys.add(sample.key)

    def _check_meaning(self, sample: Sample) -> None:
        if sample.split not in SPLITS:
            raise ValueError(f"'{sample.split}' is not one of {', '.join(SPLITS)}")
        if sample.label not in (0, 1) or (sample.label == 1) != (sample.attack_type == LIVE):
            raise ValueError(f"label {sample.label} contradicts '{sample.attack_type}'")
        if not sample.subject.startswith(self._domain):
            raise ValueError(f"its subject '{sample.subject}' does not start with the domain")
        split = self._splits.setdefault(sample.subject, sample.split)
        if split != sample.split:
            raise ValueError(f"its subject '{sample.subject}' is in split '{split}' too")

    def _check_pixels(self, sample: Sample) -> None:
        width, height = image_size(sample.image, sample.image_ext)
        side = self.image_size = self.image_size or width
        if self._native and width == height:
            self.image_size = min(side, width)
        elif (width, height) != (side, side):
            raise ValueError(f"its image is {width}×{height}, the first was {side} wide and square")
        maps = [decode_depth(sample.depth)]
        maps += [decode_depth(sample.full_depth, FULL_DEPTH_SIZE)] if sample.full_depth else []
        if any(depth.any() != (sample.label == 1) for depth in maps):
            raise ValueError("a depth map is zero everywhere for an attack, and only then")
