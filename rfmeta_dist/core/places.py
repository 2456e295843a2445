"""Check the places that users give: local paths, and URLs, which must not hold credentials."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.core.credentials import masked
from rfmeta_dist.core.errors import ConfigError


def require_no_credentials(url: str, what: str = "the URL") -> None:
    """Refuse a URL that holds a key or a secret, without printing it.

    Args:
        url: any URL; a local path always passes.
        what: how the error names it.

    Raises:
        ConfigError: there are credentials in it.
    """
    scheme, separator, rest = url.partition("://")
    place = rest.partition("/")[0]
    # No bucket has a colon in its name, but access points do: arn:aws:s3:region:account:accesspoint/name.
    in_bucket = scheme.lower().startswith("s3") and ":" in place and not place.startswith("arn:")
    if separator and ("@" in place or in_bucket or masked(url) != url):
        raise ConfigError(
            f"{what} {scheme}://*** holds a key or a password",
            "take it out of the address; the environment holds credentials: AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
        )


def absolute(path: str | Path) -> Path:
    """Return the absolute path, with `~` and `~user` replaced and links followed; it need not exist.

    Raises:
        ConfigError: there is no such user or no home folder, or no path can be made of it.
    """
    try:
        return Path(path).expanduser().resolve()
    except RuntimeError:
        if not str(path).startswith("~"):
            raise ConfigError(f"the symbolic links of '{path}' lead in a circle", "correct the links") from None
        user = str(path).partition("/")[0]
        raise ConfigError(
            f"'{path}' is not a folder: the home folder that {user} stands for is not known",
            "write the whole path" if user == "~" else "check the user's name, or write the whole path",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{str(path)[:80]!r} cannot be a path ({reason})", "correct the path") from None
