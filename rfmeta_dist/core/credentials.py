"""Remove credentials from texts before they are printed or logged."""

from __future__ import annotations

import os
import re

# The pattern matches scheme://user:password@host. A password may contain slashes, as AWS secrets do. Digits and
# a slash after the colon are a port, not a password.
_IN_URL = re.compile(r"""([a-z][a-z0-9+.-]*://)[^\s'"/?#@:]*(?::(?!\d+/)[^\s'"@]*)?@""", re.IGNORECASE)
# Parameters of a URL, such as X-Amz-Signature=…, and headers, such as Authorization: Bearer ….
_IN_QUERY = re.compile(
    r"""([?&;][\w.-]*(?:token|secret|passw|signature|credential|api_?key)[\w.-]*=)[^\s'"&;]+""", re.IGNORECASE
)
_IN_HEADER = re.compile(
    r"""\b(Bearer|Basic|AWS4-HMAC-SHA256)(\s+)(?:Credential=[^'"\r\n]+|[\w+/=.~-]{8,})""", re.IGNORECASE
)
_SECRET = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|API_?KEY", re.IGNORECASE)
_NO_SECRET = re.compile(r"_(PATH|FILE|DIR|ID|MODE|NAME|URL|URI)$", re.IGNORECASE)
_SHORTEST = 8  # a shorter value of a variable, such as `true`, may be a word that a message needs


def masked(text: str) -> str:
    """Return the text with `***` in place of every credential that it holds.

    Credentials are users and passwords in URLs, tokens and signatures in the parameters of URLs and in headers,
    and the values of environment variables whose name says so, such as AWS_SECRET_ACCESS_KEY.
    """
    text = _IN_HEADER.sub(r"\1\2***", _IN_QUERY.sub(r"\1***", _IN_URL.sub(r"\1***@", text)))
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


def in_url(url: str) -> bool:
    """Return True if a URL holds a user or a password."""
    return _IN_URL.search(url) is not None


def _secrets() -> list[str]:
    """Return the secrets in this process's environment, the longest first."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and _SECRET.search(name) and not _NO_SECRET.search(name)
    }
    return sorted(found, key=len, reverse=True)
