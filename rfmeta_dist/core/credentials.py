"""Keep the user names and passwords of URLs out of everything that is printed."""

from __future__ import annotations

import re

# scheme://user:password@host. A password may hold slashes, as AWS secrets do; digits and a slash are a port.
_CREDENTIALS = re.compile(r"""([a-z][a-z0-9+.-]*://)[^\s'"/?#@:]*(?::(?!\d+/)[^\s'"@]*)?@""", re.IGNORECASE)


def masked(text: str) -> str:
    """Return the text with `***` in place of the user name and password of every URL in it."""
    return _CREDENTIALS.sub(r"\1***@", text)
