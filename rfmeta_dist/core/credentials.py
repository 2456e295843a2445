"""Remove user names and passwords from URLs before they are printed."""

from __future__ import annotations

import re

# The pattern matches scheme://user:password@host. A password may contain slashes, as AWS secrets do. Digits and
# a slash after the colon are a port, not a password.
_CREDENTIALS = re.compile(r"""([a-z][a-z0-9+.-]*://)[^\s'"/?#@:]*(?::(?!\d+/)[^\s'"@]*)?@""", re.IGNORECASE)


def masked(text: str) -> str:
    """Return the text with `***` in place of the user name and password of every URL in it."""
    return _CREDENTIALS.sub(r"\1***@", text)
