"""Secrets to plant into the environment of the program, and to look for in all that it writes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

# In the form of real ones: an AWS secret holds slashes and pluses, which a URL or JSON writes in another way.
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYPLANTED",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEPLANTED//////////wEaDH==",
    "RAY_AUTH_TOKEN": "0badc0de" * 8,
    "MLFLOW_TRACKING_PASSWORD": "mlflow-planted-password",
    "MLFLOW_TRACKING_TOKEN": "mlflow-planted-token",
}
IN_URL = "url/planted+password"  # given in addresses


def forms(secret: str) -> set[bytes]:
    """Return the ways in which a secret may be written: as it is, quoted for a URL, in base64."""
    texts = {secret, quote(secret, safe=""), quote(secret), base64.b64encode(secret.encode()).decode()}
    return {text.encode() for text in texts}


def found_in(data: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the secrets that some bytes hold."""
    return [secret for secret in secrets if any(form in data for form in forms(secret))]


def found_below(folder: Path, secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Return the files below a folder that hold a secret, in their names or contents, and the secret."""
    chosen, found = list(secrets), []
    for path in folder.rglob("*"):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except OSError:  # a socket, or a file that has just been deleted
            data = b""
        found += [(str(path), secret) for secret in found_in(bytes(path) + b"\n" + data, chosen)]
    return found


def in_command_lines(secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Return the command lines of this machine's processes that hold a secret, and the secret."""
    chosen, found = list(secrets), []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes()
        except OSError:
            continue
        found += [(line.replace(b"\0", b" ").decode(errors="replace"), one) for one in found_in(line, chosen)]
    return found


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that holds the planted secrets too."""
    return {**variables, "AWS_ACCESS_KEY_ID": "AKIAPLANTED", **SECRETS}
