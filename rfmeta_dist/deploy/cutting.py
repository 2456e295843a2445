"""Cut faces out of pictures exactly as `rfmeta ingest` did for training, and refuse those that are not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2

from rfmeta_dist.core.errors import ConfigError, PackageError
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.deploy.policy import smallest, unfit, unseen
from rfmeta_dist.deploy.results import Refused
from rfmeta_dist.ingest.crop import CropRule, Native, Square, encode_jpeg
from rfmeta_dist.ingest.face import bounds
from rfmeta_dist.ingest.models import SHA256
from rfmeta_dist.ingest.upright import WayUp, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rfmeta_dist.ingest.crop import Pixels
    from rfmeta_dist.ingest.face import Box, Faces
    from rfmeta_dist.ingest.video import Frame


UNKNOWN_RULE = (
    "The package does not say how the training faces were cut, because they were generated, or cut by several "
    "rules. Faces are cut by ingest's default rule, so the scores are less certain than the figures say."
)


@dataclass(frozen=True)
class Cut:
    """A face that was cut out.

    Attributes:
        crop: H×W×3 uint8 RGB, as the model takes it.
        box: around the face, in pixels of the upright picture.
        turned: degrees clockwise by which the picture was turned beyond what its file says.
    """

    crop: Pixels
    box: Box
    turned: int


@dataclass(frozen=True)
class Cutter:
    """Cut faces by the rule of a deployment package.

    Attributes:
        rule: how `rfmeta ingest` cut the faces that the model was trained on.
        size: height and width of the model's input in pixels; None if it takes square crops of any side.
        least: smallest side in pixels of the square around a face.
        note: what a user must know about the rule; "" if there is nothing.
        upright: True if pictures are upright as their files say. Lying faces are then refused. Otherwise the
            other three orientations of a picture are searched too if its face is doubtful, as ingest does.
    """

    rule: CropRule
    size: tuple[int, int] | None
    least: int
    note: str = ""
    upright: bool = False

    @classmethod
    def of(cls, contract: Mapping[str, Any], where: str, *, upright: bool = False) -> Cutter:
        """Return what cuts by the field `input` of a deployment package.

        Args:
            contract: the field.
            where: the package's folder, for errors.
            upright: see `Cutter`.

        Raises:
            PackageError: the package needs other face models or another rule than this version has.
        """
        try:
            _require_models(contract.get("detector"), where)
            _require_pixels(contract)
            size = None if contract["size"] is None else (int(contract["size"][0]), int(contract["size"][1]))
            seen = max(size or (int(contract["smallest"]),))
            crop = contract["crop"]
            rule = _default(contract) if crop is None else _rule(crop)
            return cls(rule, size, smallest(seen, rule), UNKNOWN_RULE if crop is None else "", upright)
        except (ValueError, TypeError, LookupError, AttributeError, ConfigError) as error:
            raise PackageError(
                f"this version of rfmeta_dist cannot cut faces as the package at {where} asks for ({error})",
                "use the version of rfmeta_dist that made it",
            ) from error

    def cuts(self, faces: Faces, read: Callable[[], Iterable[Frame]]) -> Iterator[tuple[Frame, Cut | Refused]]:
        """Yield each frame of a file with its face, turned as `rfmeta ingest` would turn the file.

        Args:
            faces: face detector and landmark model; used by one thread at a time.
            read: returns the frames. It is called again if the faces turn out to be lying on their side or
                upside down, which is known only after the last frame. All frames are then yielded a second
                time, and replace the first ones.
        """
        way_up = None if self.upright else WayUp(faces, {})
        for frame in read():
            yield frame, self._cut(faces, frame, 0, way_up)
        if way_up and (turn := way_up.turn):
            for frame in read():
                turned = frame.turned(turn)
                yield turned, self._cut(faces, turned, turn, None)

    def cut(self, faces: Faces, frame: Frame) -> Cut | Refused:
        """Return the face of a single picture, which is turned if its face is lying."""
        *_, (_, found) = self.cuts(faces, lambda: [frame])  # it is yielded again if it is turned
        return found

    def _cut(self, faces: Faces, frame: Frame, turned: int, way_up: WayUp | None) -> Cut | Refused:
        seen = look(faces, frame, {})
        if way_up:
            way_up.add(frame, seen.upright)
        if refused := unseen(seen, turned, upright=self.upright):
            return refused
        assert seen.landmarks is not None
        square = Square.around(seen.landmarks, self.rule.margin)
        refused = unfit(frame.pixels, seen.landmarks, square, self.least, turned)
        return refused or Cut(self._fitted(frame.pixels, square), bounds(seen.landmarks), turned)

    def _fitted(self, pixels: Pixels, square: Square) -> Pixels:
        """Return the crop as the model saw its like in training: cut, compressed, and resized to its input."""
        side = self.rule.side(square.side)
        assert side is not None  # `unfit` has refused smaller faces
        crop = square.cut(pixels, side)
        if not self.rule.lossless:
            # The training crops and those that the thresholds were chosen on were stored as JPEG.
            crop = decode_image(encode_jpeg(crop), "jpg", (side, side))
        if self.size is not None and crop.shape[:2] != self.size:
            crop = cv2.resize(crop, self.size[::-1], interpolation=cv2.INTER_AREA)
        return crop


def _default(contract: Mapping[str, Any]) -> CropRule:
    """Return the rule for a model whose training faces were not cut out of pictures."""
    if contract["size"] is None:
        return CropRule(Native(int(contract["smallest"])))
    # Without a resize the model must see the crop's own pixels, so the crop is cut at the model's size.
    return CropRule() if contract.get("resize", "area") else CropRule(int(contract["size"][0]))


def _rule(crop: Mapping[str, Any]) -> CropRule:
    """Return the crop rule of a manifest's contract. Raise ValueError if this version has no such rule."""
    fixed = {"around": "landmarks", "aligned": False, "beyond": "edge repeated"}
    if any(crop.get(name, value) != value for name, value in fixed.items()):
        raise ValueError("it is a rule of another version")
    fields = {name: value for name, value in crop.items() if name not in fixed}
    if isinstance(fields["size"], Mapping):
        fields["size"] = Native(**fields["size"])
    elif not isinstance(fields["size"], int):
        raise TypeError(f"the size of a crop is {fields['size']!r}")
    return CropRule(**fields)


def _require_pixels(contract: Mapping[str, Any]) -> None:
    """Raise ValueError unless the model takes pixels as this version gives them."""
    given = {"color": "RGB", "dtype": "uint8"}
    for name, value in given.items():
        if contract.get(name, value) != value:
            raise ValueError(f"the model takes {name} {contract[name]!r}, not {value}")


def _require_models(named: Mapping[str, Any] | None, where: str) -> None:
    if named and dict(named) != dict(SHA256):
        raise PackageError(
            f"the package at {where} was made with other face models than this version of rfmeta_dist uses, so "
            "faces would be cut differently",
            "use the version of rfmeta_dist that made it",
        )
