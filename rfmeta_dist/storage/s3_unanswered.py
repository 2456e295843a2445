"""Explain requests to S3 that got no answer, or an answer that is not from an S3 server, and name a remedy."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.errors import AccessError
from rfmeta_dist.storage.s3_client import STYLE

_SHOWN = 300  # characters of another program's message that are shown
KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
BUCKET = "use a bucket's name: 3 to 63 of the characters a-z, 0-9, - and ."
ENDPOINT = "set AWS_ENDPOINT_URL to the address of the S3 API, not of a web console or another service"
_REPLY = "if this store is known to send wrong checksums, set AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"
_TLS = (
    "set AWS_CA_BUNDLE to the file with the certificate of the server's CA, or begin AWS_ENDPOINT_URL with "
    "http:// if the server has no TLS"
)


def line(text: Any) -> str:
    """Return a text of another program in one line, without characters that could control a terminal."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return " ".join(plain.split())[:_SHOWN].rstrip(".")


def redirects_in_a_circle(error: BaseException) -> bool:
    """Return True if the request was redirected again and again."""
    from aiohttp import TooManyRedirects

    return isinstance(error, RecursionError) or isinstance(_beneath(error), TooManyRedirects)


def unanswered(url: str, error: BaseException, endpoint: str) -> StorageError:
    """Return the StorageError to show for an error without an answer of an S3 server.

    Args:
        url: URL of the object.
        error: an error of one of the kinds of `s3_errors.faults`.
        endpoint: the store's address.
    """
    from botocore import exceptions as boto

    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return AccessError(
            f"{url}: no credentials were found", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if isinstance(error, TimeoutError):
        return StorageError(
            f"{url}: {endpoint} did not answer in full within the time allowed",
            "check the network and the server's load",
        )
    reason = f"{type(error).__name__}: {line(error)}"
    if redirects_in_a_circle(error):
        return StorageError(f"{url}: {endpoint} redirects in a circle", ENDPOINT)
    target = _redirected_to(error, endpoint)
    if target:
        return StorageError(
            f"{url}: {endpoint} redirects to {target}, which cannot be reached",
            "if the store is there, check that it is up, and set AWS_ENDPOINT_URL to that address, beginning "
            f"with http:// or https://; otherwise {ENDPOINT}",
        )
    for kind, what, remedy in _without_answer():
        if isinstance(error, kind):
            return StorageError(f"{url}: {what} ({reason})", remedy)
    return StorageError(
        f"{url} cannot be reached at {endpoint} ({reason})",
        f"check AWS_ENDPOINT_URL and that the server is up{_host_in_doubt()}",
    )


def _without_answer() -> tuple[tuple[Any, str, str], ...]:
    """Return kinds of errors without an answer, each with a problem and a remedy."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    profile = (boto.ProfileNotFound, boto.ConfigParseError, boto.ConfigNotFound)
    login = (boto.CredentialRetrievalError, boto.TokenRetrievalError, boto.SSOError, boto.InvalidConfigError)
    return (
        (profile, "the AWS configuration cannot be used", "correct ~/.aws/config, or set or unset AWS_PROFILE"),
        (login, "there are no valid credentials", f"log in again, or set other credentials; {KEYS}"),
        (boto.InvalidS3AddressingStyleError, "the addressing style is unknown", f"set {STYLE}=path or virtual"),
        (boto.ParamValidationError, "the bucket or the name is not valid", BUCKET),
        (
            boto.ProxyConnectionError,
            "the web proxy does not answer",
            "check http_proxy, https_proxy and no_proxy",
        ),
        (boto.SSLError, "the TLS connection failed", _TLS),
        (
            boto.FlexibleChecksumError,
            "the answer does not match its checksum",
            f"give the command again; {_REPLY}",
        ),
        (ResponseParserError, "the answer does not come from an S3 server", ENDPOINT),
        (ValueError, "the store's address is not a URL", "write AWS_ENDPOINT_URL as http://host:port"),
    )


def _beneath(error: BaseException) -> Any:
    """Return the error of the HTTP client that botocore's error wraps."""
    return getattr(error, "kwargs", {}).get("error")


def _redirected_to(error: BaseException, endpoint: str) -> str:
    """Return the address that the endpoint redirected to; empty if it did not redirect."""
    from aiohttp import ClientConnectorError, ClientProxyConnectionError

    tried = _beneath(error)
    if not isinstance(tried, ClientConnectorError) or isinstance(tried, ClientProxyConnectionError):
        return ""
    asked = urlsplit(endpoint)
    port = asked.port or {"http": 80, "https": 443}.get(asked.scheme)
    # With virtual-hosted buckets the bucket's name stands before the endpoint's.
    if not asked.hostname or ((tried.host or "").endswith(asked.hostname) and tried.port == port):
        return ""
    return f"{tried.host}:{tried.port}"


def _host_in_doubt() -> str:
    if os.environ.get(STYLE) == "virtual":
        return f"; if the host's name with the bucket in it does not exist, set {STYLE}=path"
    return ""
