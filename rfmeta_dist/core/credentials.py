"""Recognise credentials by their names and forms, and remove them from texts before they are printed or logged.

What is printed, job specs and manifests are all searched by the rules of this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

# Names of variables, options and fields. The name is in capitals, with `_` between its words.
_SECRET = re.compile(
    r"SECRET|TOKEN(?!IZ|S(_|$))|PASSW(OR)?D|PASSPHRASE|(DB_?|PG|REQUIRE)PASS$|(ACCESS|API|PRIVATE)_?KEY|CREDENTIAL"
    r"|CONNECTION_?STRING|(^|_)AUTH$"
)
# Names that contain such a word, and whose value is a place or a setting.
_SETTING = re.compile(
    r"_(PATH|FILE|DIR|NAME|MODE|URL|URI|ENDPOINT|REF|TTL|LIFETIME|EXPIRY|SECONDS|COUNT|DIM|SIZE)$|^RAY_ENABLE_|MAX_"
    r"|^GOOGLE_APPLICATION_CREDENTIALS$"
)
# The pattern matches scheme://user:password@host. A password may contain slashes, as AWS secrets do. Digits and
# a slash after the colon are a port, not a password.
_IN_URL = re.compile(
    r"""(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<user>[^\s'"/?#@:\[]*)(?::(?!\d+/)(?P<password>[^\s'"@]*))?@""", re.I
)
# Parameters of a URL, such as X-Amz-Signature=…, and headers, such as Authorization: Bearer ….
_IN_QUERY = re.compile(
    r"""([?&;][\w.-]*(?:token|secret|passw|signature|credential|api_?key)[\w.-]*=)([^\s'"&;]+)""", re.I
)
# A token has a digit, or a capital after its first letter; `Basic Constraints` is no header.
_IN_HEADER = re.compile(
    r"""\b(Bearer|Basic|AWS4-HMAC-SHA256)(\s+)(?:Credential=[^'"\r\n]+"""
    r"""|(?=[\w+/.~-]*(?:[\d=]|(?-i:\w[A-Z])))[\w+/=.~-]{8,})""",
    re.I,
)
_KEY = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bhf_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)
# NAME=value, --password=value and --password value. The value may not be a reference to a variable. It is only
# looked at, because in `--set password=x` the value of one option is an assignment itself.
_ASSIGNED = re.compile(
    r"""(?<![\w$.-])(?:--?(?P<option>[A-Za-z][\w.-]*)(?:=|\s+(?!-))|(?P<name>[A-Za-z_][\w.]*)=)"""
    r"""(?=(?P<value>"[^"$]+"|'[^']+'|[^\s"'$][^\s"']*))"""
)
_REFERENCE = re.compile(r"(\$\{?\w+\}?|\$\(\w+\)|:)*")  # as a shell, Ray or Kubernetes replaces it
_SHORTEST = 8  # a shorter value of a variable, such as `true`, may be a word that a message needs


def is_secret(name: str) -> bool:
    """Return True if a variable, option or field of this name holds a credential, such as apiKey."""
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).upper().replace("-", "_").replace(".", "_")
    return bool(_SECRET.search(words)) and not _SETTING.search(words)


def masked(text: str) -> str:
    """Return the text with `***` in place of every credential that it holds.

    Credentials are users and passwords in URLs, tokens and signatures in the parameters of URLs and in headers,
    and the values of environment variables whose name says so, such as AWS_SECRET_ACCESS_KEY.
    """
    text = _IN_URL.sub(r"\g<scheme>://***@", text)
    text = _IN_HEADER.sub(r"\1\2***", _IN_QUERY.sub(r"\1***", text))
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


def hidden(command: str) -> str:
    """Return a shell command with `***` in place of each credential, those after an option or a name too."""
    for _, start, end in reversed(list(_assigned(command))):
        command = f"{command[:start]}***{command[end:]}"
    return masked(command)


def in_url(url: str) -> bool:
    """Return True if a URL holds a user or a password."""
    return _IN_URL.search(url) is not None


def in_text(text: str) -> str | None:
    """Return what kind of credential a text holds, such as `a URL with a password`; None if it holds none.

    References to variables, such as ${TOKEN}, are no credentials. Neither is the user of a URL, such as git@,
    unless the scheme is http or https, where it may be a token.
    """
    for match in _IN_URL.finditer(text):
        user = match["user"] if match["scheme"].lower() in ("http", "https") else ""
        if not _REFERENCE.fullmatch(match["password"] or user):
            return "a URL with a password"
    if any(not _REFERENCE.fullmatch(match[2]) for match in _IN_QUERY.finditer(text)):
        return "a URL with a token"
    if _IN_HEADER.search(text):
        return "a header with a token"
    return "a key or token" if _KEY.search(text) else None


def in_command(command: str) -> str | None:
    """Return the name that a shell command gives a credential, as in PGPASSWORD=… or --token …; else None."""
    return next((name for name, _, _ in _assigned(command)), None)


def _assigned(command: str) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each credential in a command, and where its value begins and ends."""
    for match in _ASSIGNED.finditer(command):
        name = match["option"] or match["name"]
        if is_secret(name):
            yield name, *match.span("value")


def _secrets() -> list[str]:
    """Return the secrets in this process's environment, the longest first.

    The identifier of a key, such as AWS_ACCESS_KEY_ID, is shown, because users need it to find the key.
    """
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and is_secret(name) and not name.upper().endswith("_ID")
    }
    return sorted(found, key=len, reverse=True)
