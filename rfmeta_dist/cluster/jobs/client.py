"""Connect to a cluster's Jobs API: Ray's client with time limits, and errors that name a remedy.

The job runs on the cluster even if following it fails, for example because a load balancer cuts the log or the
head is restarted. So an error after the cluster has accepted the job is reported as one of the connection.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import Any
from urllib.request import getproxies

from rfmeta_dist.cluster.jobs import limits
from rfmeta_dist.core.errors import ClusterError, ConfigError

NOT_GIVEN = "the job could not be given to the cluster"


def connect(address: str, what: str = NOT_GIVEN) -> Any:
    """Return Ray's client for the cluster at an address from `cluster_url`.

    The token comes from RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH with RAY_AUTH_MODE=token.

    Args:
        address: URL of the cluster.
        what: what has failed if the cluster cannot be reached, for the error.

    Raises:
        ClusterError: no cluster answers at the address, or it refuses the request.
    """
    # RAY_ADDRESS and RAY_API_SERVER_ADDRESS would override the address given.
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(name, None)
    from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):  # type: ignore[misc]
        """Ray's client, with a time limit for each request and a check of its size before it is sent."""

        def _do_request(self, method: str, endpoint: str, *, data: bytes | None = None, **options: Any) -> Any:
            if data is not None and len(data) > DASHBOARD_CLIENT_MAX_SIZE:
                limit = DASHBOARD_CLIENT_MAX_SIZE >> 20
                raise too_large(f"{len(data) >> 20} MiB, and Ray's dashboard accepts {limit} MiB")
            return super()._do_request(method, endpoint, data=data, **options, timeout=limits.ANSWER_S)

    for name in ("ray", "ray.dashboard.modules.job.sdk", "ray.dashboard.modules.dashboard_sdk"):
        logging.getLogger(name).setLevel(
            logging.ERROR
        )  # their lines about packages and sockets do not help a user
    try:
        _require_answer(address)
        return Client(address)
    except Exception as error:  # Ray raises RuntimeError, ConnectionError and its own kinds here
        raise refusal(address, error, what) from error


def _require_answer(address: str) -> None:
    """Raise an OSError unless a server answers at the address. Ray's client would take longer to fail."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with suppress(HTTPError):  # the server did answer; Ray's client explains the refusal
        urlopen(f"{address}/api/version", timeout=limits.CONNECT_S).close()


def first_line(reason: Any) -> str:
    """Return the line that says most in an error's text: the first that is not empty, the last of a traceback.

    The name of its class is returned if the text is empty.
    """
    lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
    if not lines:
        return type(reason).__name__
    return lines[-1] if "Traceback (most recent call last)" in lines[0] else lines[0]


def is_unknown(error: Exception) -> bool:
    """Return True if an error of Ray's client says that the cluster has no job of this identifier."""
    return "status code 404" in str(error) and "does not exist" in str(error)


def too_large(how: str) -> ConfigError:
    """Return the error for a working directory that cannot be sent; `how` gives its size and the limit."""
    return ConfigError(
        f"the working directory is too large to send ({how})",
        "list files that the job does not need in .gitignore or under excludes in spec.runtimeEnvYAML, or set "
        "working_dir to the URL of a .zip",
    )


def refusal(address: str, error: Exception, what: str = NOT_GIVEN) -> ClusterError:
    """Return the error for a cluster that is not there or refuses a request.

    Args:
        address: URL of the cluster.
        error: what Ray's client or the HTTP client raised.
        what: what has failed.
    """
    from ray.exceptions import AuthenticationError

    inner = getattr(error, "reason", None)  # of a URLError, whose own text is not for people
    reason = first_line(inner if isinstance(inner, OSError) else error)
    if isinstance(error, AuthenticationError):  # other errors repeat addresses, in which anything may stand
        return ClusterError(
            f"the cluster at {address} refused the request: {reason}",
            "export RAY_AUTH_MODE=token and RAY_AUTH_TOKEN with the cluster's token",
        )
    if "certificate" in str(error).lower():
        return ClusterError(
            f"{what} at {address}: {reason}",
            "export SSL_CERT_FILE and REQUESTS_CA_BUNDLE, both with the file of the authority that has "
            "signed the cluster's certificate",
        )
    remedy = "check --address, the URL of the cluster's dashboard, such as http://head:8265, and that it is up"
    if address.partition("://")[0] in getproxies():
        remedy += "; a web proxy is set: list the head's name in no_proxy if it is reached without the proxy"
    return ClusterError(f"{what} at {address}: {reason}", remedy)
