"""Make the S3 client of a process, configured like the AWS tools by environment variables and ~/.aws/config.

The endpoint comes from AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile, and the region from AWS_REGION,
AWS_DEFAULT_REGION or the profile. The addressing style comes from AWS_S3_ADDRESSING_STYLE or the profile's
s3.addressing_style. botocore itself reads the settings of checksums and credentials (docs/how-to/s3-store.md).
"""

from __future__ import annotations

import functools
import os
from typing import Any

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.loopback import bypass_proxies
from rfmeta_dist.core.places import require_no_credentials

CONNECT_S, READ_S = 3, 20  # READ_S limits the pause between two pieces of an answer, not the whole answer
STYLE = "AWS_S3_ADDRESSING_STYLE"
_STYLES = ("path", "virtual", "auto")


def filesystem() -> Any:
    """Return the client of this process.

    Raises:
        ConfigError: a setting is wrong.
        botocore.exceptions.BotoCoreError: the profile or the configuration file is missing or damaged.
    """
    # A forked process, or one whose settings have changed, must make a new client.
    decides = (item for item in os.environ.items() if item[0].startswith("AWS_") or _is_proxy(item[0]))
    return _connect(os.getpid(), frozenset(decides))


def address() -> str:
    """Return the store's address for messages: the endpoint in use, or `AWS`."""
    from botocore.exceptions import BotoCoreError

    try:
        return filesystem().endpoint_url or "AWS"
    except BotoCoreError:
        return "AWS"


def _is_proxy(name: str) -> bool:
    return name.lower().endswith("_proxy")


@functools.lru_cache(maxsize=8)
def _connect(_pid: int, _environment: frozenset[tuple[str, str]]) -> Any:
    import s3fs
    from aiobotocore.session import AioSession

    session = AioSession()
    profile = session.get_scoped_config()
    endpoint = _endpoint(session, profile)
    if endpoint:
        require_no_credentials(endpoint, "the S3 endpoint")
        bypass_proxies(endpoint)
        # Register it last, because botocore's own handler marks every request as not redirected.
        session.get_component("event_emitter").register_last("before-parameter-build.s3", _stay)
    region = os.environ.get("AWS_REGION")
    fs = s3fs.S3FileSystem(
        session=session,
        endpoint_url=endpoint,
        client_kwargs={"region_name": region} if region else {},
        config_kwargs={
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": CONNECT_S,
            "read_timeout": READ_S,
            "s3": {"addressing_style": _style(profile, endpoint)},
        },
        max_concurrency=1,  # otherwise every read sends a HEAD first
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    fs.retries = 1
    return fs


def _endpoint(session: Any, profile: dict[str, Any]) -> str | None:
    """Return the endpoint by botocore's rules; None means AWS itself."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    places = (
        os.environ.get("AWS_ENDPOINT_URL_S3"),
        os.environ.get("AWS_ENDPOINT_URL"),
        services.get("s3", {}).get("endpoint_url"),
        profile.get("endpoint_url"),
    )
    return next((place for place in places if place), None)


def _style(profile: dict[str, Any], endpoint: str | None) -> str:
    chosen = os.environ.get(STYLE)
    if chosen and chosen not in _STYLES:
        raise ConfigError(
            f"the environment variable {STYLE}={chosen!r} is not an addressing style",
            f"set it to one of {', '.join(_STYLES)}",
        )
    section = profile.get("s3")
    configured = section.get("addressing_style") if isinstance(section, dict) else None
    # Servers other than AWS rarely have a DNS name for each bucket.
    return chosen or configured or ("path" if endpoint else "auto")


def _stay(context: dict[str, Any], **_: Any) -> None:
    """Mark a request as redirected already, so that botocore does not look for the bucket's region.

    Only AWS redirects to regions. If a web server redirects every request, botocore would ask it for the region
    again and again, until Python's stack is full.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True
