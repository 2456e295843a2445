"""Check each sample before it is packed, so that readers can rely on what a shard contains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE, SPLITS, Sample
from rfmeta_dist.data.shards.decode import FULL_DEPTH_SIZE, decode_depth, image_size

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_KEY_LENGTH = 90  # a USTAR tar has room for names of 100 characters, endings included


class Checker:
    """Check the samples of one domain one by one. Keys and splits of subjects are remembered between samples.

    Args:
        domain: name of the domain; letters, digits, `_` and `-`.
        native: True to accept images of different sizes.

    Attributes:
        image_size: side of the smallest image so far, in pixels; 0 before the first sample.

    Raises:
        DataError: the domain's name has other characters.
    """

    def __init__(self, domain: str, *, native: bool = False) -> None:
        if not _NAME.fullmatch(domain):
            raise DataError(f"'{domain}' is not a valid domain name", "use letters, digits, '_' and '-' only")
        self._domain = domain
        self._native = native
        self._keys: set[str] = set()
        self._splits: dict[str, str] = {}
        self.image_size = 0

    def checked(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the samples, each after `check` has accepted it."""
        for sample in samples:
            self.check(sample)
            yield sample

    def check(self, sample: Sample) -> None:
        """Raise an error if a sample cannot be packed.

        A sample can be packed if its key is new, starts with the domain and has no dots; its label agrees with
        its attack type; its subject is in no other split; its image is a square JPEG or PNG, of the size of all
        others unless `native` is set; and its depth map is a 32×32 grey PNG, zero everywhere for an attack and
        not zero everywhere for a live face. The same holds for the full depth map of 256×256, if there is one.

        Raises:
            DataError: the sample cannot be packed; the error names it and what is wrong with it.
        """
        try:
            self._check_names(sample)
            self._check_meaning(sample)
            self._check_pixels(sample)
        except ValueError as error:
            raise DataError(
                f"sample '{sample.key}' cannot be packed: {error}",
                "correct the source or the code that made this sample, or leave the sample out",
            ) from error

    def _check_names(self, sample: Sample) -> None:
        if sample.domain != self._domain:
            raise ValueError(f"it belongs to domain '{sample.domain}', not to '{self._domain}'")
        if not _NAME.fullmatch(sample.key) or len(sample.key) > _KEY_LENGTH:
            raise ValueError(f"its key is not made of up to {_KEY_LENGTH} letters, digits, '_' and '-'")
        if not sample.key.startswith(f"{self._domain}-"):
            raise ValueError(f"its key does not start with '{self._domain}-'")
        if sample.key in self._keys:
            raise ValueError("an earlier sample has the same key")
        self._keys.add(sample.key)

    def _check_meaning(self, sample: Sample) -> None:
        if sample.split not in SPLITS:
            raise ValueError(f"its split '{sample.split}' is not one of {', '.join(SPLITS)}")
        if sample.label not in (0, 1) or (sample.label == 1) != (sample.attack_type == LIVE):
            raise ValueError(f"its label {sample.label} contradicts its attack type '{sample.attack_type}'")
        if not sample.subject.startswith(self._domain):
            raise ValueError(f"its subject '{sample.subject}' does not start with '{self._domain}'")
        split = self._splits.setdefault(sample.subject, sample.split)
        if split != sample.split:
            raise ValueError(f"its subject '{sample.subject}' is in split '{split}' too, so the splits overlap")

    def _check_pixels(self, sample: Sample) -> None:
        width, height = image_size(sample.image, sample.image_ext)
        side = self.image_size = self.image_size or width
        if self._native and width == height:
            self.image_size = min(side, width)
        elif (width, height) != (side, side):
            wanted = "square" if self._native else f"{side}×{side} like the first one"
            raise ValueError(f"its image is {width}×{height} pixels, but it must be {wanted}")
        maps = [decode_depth(sample.depth)]
        maps += [decode_depth(sample.full_depth, FULL_DEPTH_SIZE)] if sample.full_depth else []
        if any(depth.any() != (sample.label == 1) for depth in maps):
            found = "is zero everywhere, but the sample is live"
            if sample.label == 0:
                found = "is not zero everywhere, but the sample is an attack"
            raise ValueError(f"its depth map {found}")
