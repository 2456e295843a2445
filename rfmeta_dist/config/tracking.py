"""Define the section `tracking`: where the figures of a run are shown beside its folder."""

from __future__ import annotations

from pydantic import Field, field_validator

from rfmeta_dist.config.section import Section
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.places import require_no_credentials

WRITE = "write https://… of a server, or sqlite:////absolute/path.db"


class Tracking(Section):
    """Where metrics and results are shown too. Nothing is sent anywhere unless a field here asks for it."""

    mlflow: str | None = Field(
        None,
        description="address of MLflow, such as https://mlflow.example.org or sqlite:////data/mlflow.db. The "
        "environment variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD hold user and password",
    )
    experiment: str = Field(
        "rfmeta", min_length=1, max_length=200, description="name of the experiment in MLflow"
    )
    tensorboard: bool = Field(
        False, description="write TensorBoard's event files to tensorboard/ in the run's folder"
    )

    @field_validator("mlflow")
    @classmethod
    def _an_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        scheme = address.partition("://")[0] if "://" in address else ""
        if scheme not in ("http", "https", "sqlite"):
            raise ValueError(f"it is not an address of MLflow that this version can use; {WRITE}")
        if scheme == "sqlite" and not address.startswith("sqlite:////"):
            raise ValueError(f"its path is not absolute; {WRITE}")
        try:
            require_no_credentials(address)
        except ConfigError:
            raise ValueError(
                "it holds a user or a password, which would be stored with the run; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            ) from None
        return address

    @property
    def wanted(self) -> bool:
        """Return True if figures are shown anywhere."""
        return self.mlflow is not None or self.tensorboard
