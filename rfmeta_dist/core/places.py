"""Check the local paths and URLs that users give. A URL must not contain credentials."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.core.credentials import in_url
from rfmeta_dist.core.errors import ConfigError


def require_no_credentials(url: str, what: str = "the URL") -> None:
    """Raise an error if a URL contains a key or a password. The error does not print them.

    Args:
        url: any URL; a local path always passes.
        what: what the error calls the URL.

    Raises:
        ConfigError: the URL contains credentials.
    """
    scheme, separator, rest = url.partition("://")
    place = rest.partition("/")[0]
    # Names of buckets have no colon, but names of access points do: arn:aws:s3:region:account:accesspoint/name.
    in_bucket = scheme.lower().startswith("s3") and ":" in place and not place.startswith("arn:")
    if separator and ("@" in place or in_bucket or in_url(url)):
        raise ConfigError(
            f"{what} {scheme}://*** holds a key or a password, which would be stored with the run and printed",
            "remove it from the address and set the environment variables AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY instead",
        )


def absolute(path: str | Path) -> Path:
    """Return the absolute path, with `~` and `~user` replaced and symbolic links resolved; it need not exist.

    Raises:
        ConfigError: the user or the home folder is unknown, or the text is not a valid path.
    """
    try:
        return Path(path).expanduser().resolve()
    except RuntimeError:
        if not str(path).startswith("~"):
            raise ConfigError(
                f"the symbolic links in '{path}' form a loop, so it leads to no file or folder",
                "correct the links, or give another path",
            ) from None
        user = str(path).partition("/")[0]
        raise ConfigError(
            f"'{path}' cannot be resolved, because this machine knows no home folder for {user}",
            "write the whole path" if user == "~" else "check the user's name, or write the whole path",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{str(path)[:80]!r} is not a valid path ({reason})", "write another path") from None
