"""Convert errors of S3 into StorageErrors that contain the server's message and a remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.errors import AccessError, AlreadyExistsError, MissingError
from rfmeta_dist.storage.s3_client import STYLE
from rfmeta_dist.storage.s3_unanswered import BUCKET, ENDPOINT, KEYS, line, redirects_in_a_circle, unanswered

_PASSING = ("SlowDown", "RequestTimeout", "ConditionalRequestConflict")
_NEVER = (501, 505, 507)  # not implemented, other HTTP version, disk full: trying again does not help
CHECKSUMS = "AWS_REQUEST_CHECKSUM_CALCULATION"

_RIGHTS = f"{KEYS}, and that they are allowed to read, list, write and delete there"
_CLOCK = "set this machine's clock: the store refuses requests whose time differs from its own by minutes"
_SESSION = "renew the session's credentials, or unset AWS_SESSION_TOKEN if the keys are permanent"
_VIRTUAL = f"this store needs the bucket in the host's name: set {STYLE}=virtual"
_REGION = "set AWS_REGION to the bucket's region"
_KMS = "check that the bucket's KMS key is enabled, and that these credentials may encrypt and decrypt with it"
_SPACE = "free space in the store or raise its quota"
_SHUT = "the bucket or the account is disabled: ask the store's provider to enable it"
_CHECKSUMS = (
    f"this store does not support the checksums that clients send by default: set {CHECKSUMS}=when_required"
)
_LACKS = (
    f"this store does not support a part of the request: set {CHECKSUMS}=when_required; if that does not help, "
    "it lacks put-if-absent (If-None-Match) and cannot be used"
)
_ARCHIVED = "restore the object from its archive class first"

_SIGNATURE = f"{KEYS}; if both are right, a proxy between this machine and the store changes requests"

_REMEDIES = {
    "AccessDenied": _RIGHTS,
    "SignatureDoesNotMatch": _SIGNATURE,
    "InvalidAccessKeyId": f"{KEYS}; this store ({{endpoint}}) does not know the key",
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "ExpiredToken": _SESSION,
    "ExpiredTokenException": _SESSION,
    "TokenRefreshRequired": _SESSION,
    "InvalidToken": _SESSION,
    "SecondLevelDomainForbidden": _VIRTUAL,
    "PathStyleDomainForbidden": _VIRTUAL,
    "VirtualHostDomainRequired": _VIRTUAL,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": f"{_REGION}, and AWS_ENDPOINT_URL to that region's address if it is set",
    "TemporaryRedirect": _REGION,
    "InvalidBucketName": BUCKET,
    "MissingContentLength": _CHECKSUMS,
    "XAmzContentSHA256Mismatch": _CHECKSUMS,
    "AllAccessDisabled": _SHUT,
    "AccountProblem": _SHUT,
    "NotSignedUp": _SHUT,
    "InvalidObjectState": _ARCHIVED,
    "KeyTooLongError": "choose a shorter prefix: an object's name can have at most 1024 bytes",
    "MethodNotAllowed": ENDPOINT,
    "NotImplemented": _LACKS,
    "QuotaExceeded": _SPACE,
    "InsufficientStorage": _SPACE,
    "XMinioStorageFull": _SPACE,
}
# Remedies by a pattern in the server's message, since many stores have their own codes. The first match counts.
_BY_MESSAGE = (
    (
        re.compile(r"virtual.{0,12}(host|styled?|domain)|path.?style|second.level.domain", re.IGNORECASE),
        _VIRTUAL,
    ),
    (
        re.compile(r"checksum|x-amz-trailer|aws-chunked|x-amz-sdk|STREAMING-|-TRAILER", re.IGNORECASE),
        _CHECKSUMS,
    ),
    (re.compile(r"\bkms\b", re.IGNORECASE), _KMS),
    (re.compile(r"quota|no space|storage.{0,12}full", re.IGNORECASE), _SPACE),
)
_OTHER = "ask the store's operator, or look up this code in the store's documentation"


@dataclass(frozen=True)
class Answer:
    """A server's answer that refuses a request.

    Attributes:
        status: HTTP status; 0 if there was no answer.
        code: S3's error code; if the answer has no body, the status as text, or empty.
        message: the server's explanation in one line.
        headers: headers of the answer, with names in lower case.
        region: region that the server says to use; empty if it names none.
    """

    status: int = 0
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    region: str = ""

    @property
    def words(self) -> str:
        """Return code and message, or `without an explanation` if there is neither."""
        return ": ".join(part for part in (self.code, self.message) if part) or "without an explanation"


def answer(error: BaseException) -> Answer:
    """Return the server's answer, from botocore's error or from an error of s3fs or rfmeta that it caused."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(getattr(cause, "response", None), dict):
        cause = cause.__cause__
    if cause is None:
        return Answer()
    response: dict[str, Any] = cause.response  # type: ignore[attr-defined]
    about, found = response.get("ResponseMetadata", {}), response.get("Error", {})
    headers = about.get("HTTPHeaders") or {}
    return Answer(
        int(about.get("HTTPStatusCode", 0)),
        line(found.get("Code", "")),
        line(found.get("Message", "")),
        headers,
        line(found.get("Region") or headers.get("x-amz-bucket-region", "")),
    )


def _transport_faults() -> tuple[type[Exception], ...]:
    from aiohttp import ClientError as TransferError
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import FlexibleChecksumError, HTTPClientError
    from botocore.parsers import ResponseParserError

    broken = (TransferError, HTTPClientError, FlexibleChecksumError, ResponseParserError)
    return (*broken, NoConnection, TimeoutError, ConnectionError)


def faults() -> tuple[type[Exception], ...]:
    """Return the errors that s3fs raises for reasons outside this program. A ValueError is a wrong endpoint."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (*_transport_faults(), BotoCoreError, ClientError, OSError, ValueError, RecursionError)


def may_pass(error: BaseException) -> bool:
    """Return True if the same request may succeed a little later."""
    found = answer(error)
    if found.status:
        failing = found.status >= 500 and found.status not in _NEVER
        return failing or found.status == 429 or found.code in _PASSING
    lasting = redirects_in_a_circle(error) or "CERTIFICATE_VERIFY_FAILED" in str(error)
    return isinstance(error, _transport_faults()) and not lasting


def explained(path: str, error: BaseException, endpoint: str) -> StorageError:
    """Return the StorageError to show for an error of a request.

    Args:
        path: bucket and key.
        error: an error of one of the kinds of `faults`.
        endpoint: the store's address.
    """
    url, found = f"s3://{path}", answer(error)
    if not found.status:
        return unanswered(url, error, endpoint)
    if found.status == 404 and found.code in ("NoSuchBucket", "NoSuchKey", "404"):
        missing = f"the bucket of {url}" if found.code == "NoSuchBucket" else url
        return MissingError(
            f"{missing} does not exist", f"check the name, and the store's address ({endpoint})"
        )
    if found.status == 404:
        return MissingError(f"{url} does not exist ({found.words})", "check the name and AWS_ENDPOINT_URL")
    if found.status == 412:
        return AlreadyExistsError(f"{url} exists already", "choose another name")
    remedy = _remedy(found).replace("{endpoint}", endpoint)
    if found.status in (401, 403) and remedy != _VIRTUAL:
        return AccessError(f"{url}: access denied ({found.words})", remedy)
    return StorageError(f"{url}: the server answered {found.status} {found.words}", remedy)


def _remedy(found: Answer) -> str:
    by_message = next((remedy for pattern, remedy in _BY_MESSAGE if pattern.search(found.message)), "")
    remedy = _KMS if found.code.startswith("KMS.") else by_message or _REMEDIES.get(found.code, "")
    if remedy == _CHECKSUMS and os.environ.get(CHECKSUMS, "").lower() == "when_required":
        return _OTHER  # the user has set the variable already
    if remedy.startswith(_REGION) and found.region:
        remedy = remedy.replace(_REGION, f"set AWS_REGION={found.region}")
    if remedy:
        return remedy
    if 300 < found.status < 400:
        return _redirected(found)
    if found.code.isdigit() or not found.code:  # the answer contains no S3 error
        return _denied_without_a_word() if found.status in (401, 403) else ENDPOINT
    return _RIGHTS if found.status in (401, 403) else _OTHER


def _redirected(found: Answer) -> str:
    target = line(found.headers.get("location", ""))
    place = re.match(r"https?://[^/]+", target)
    if place is None:
        return ENDPOINT
    return f"the server redirects to {place[0]}: if that is the store, set AWS_ENDPOINT_URL to that address"


def _denied_without_a_word() -> str:
    proxied = any(name.lower().endswith("_proxy") and value for name, value in os.environ.items())
    between = (
        "; if the web proxy answered instead of the store, add the store's host to no_proxy" if proxied else ""
    )
    return _RIGHTS + between
