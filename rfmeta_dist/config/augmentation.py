"""Define the section of the configuration about how training samples are varied."""

from __future__ import annotations

from pydantic import Field

from rfmeta_dist.config.section import Section


class Augmentation(Section):
    """How training samples are varied at random, differently in each epoch. The paper does not vary them.

    Hue is not varied, because it helps to distinguish prints and screens from skin.
    """

    flip: float = Field(0.5, ge=0, le=1, description="probability of mirroring the image")
    crop: float = Field(
        0.2, ge=0, lt=1, description="largest share of the side that is cropped away; patches are not cropped"
    )
    brightness: float = Field(0.1, ge=0, le=1, description="largest change up or down, as a share of the range")
    contrast: float = Field(0.2, ge=0, le=1, description="largest relative change, up or down")
    saturation: float = Field(0.2, ge=0, le=1, description="largest relative change, up or down")
    cutout: float = Field(0.0, ge=0, le=1, description="side of a black square, as a share of the image's side")
    blur: float = Field(
        0.0, ge=0, le=10, description="largest standard deviation of a Gaussian blur, in pixels"
    )
    noise: float = Field(
        0.0,
        ge=0,
        le=1,
        description="largest standard deviation of sensor noise at middle grey, as a share of the full range",
    )
    sharpness: float = Field(
        0.0, ge=0, le=5, description="largest share of the fine detail that is added once more"
    )
    coding: int = Field(
        100, ge=1, le=100, description="lowest JPEG quality at which a sample is coded again; 100 for never"
    )
