"""Define what all sections of the configuration share: the base class, and the types of names and places."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.places import absolute, require_no_credentials


def _absolute(place: str) -> str:
    if place.rstrip("/") == "s3:":  # with a folder appended, it would be a local path that begins with s3:
        raise ValueError("it names no bucket; write s3://BUCKET or s3://BUCKET/FOLDER")
    try:
        require_no_credentials(place)
        return place if "://" in place else str(absolute(place))
    except ConfigError as error:  # pydantic adds the field's name only to a ValueError
        raise ValueError(str(error)) from None


Place = Annotated[str, AfterValidator(_absolute)]  # absolute, because Ray's workers run in another directory
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class Section(BaseModel):
    """Base class of the sections. Instances are immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
