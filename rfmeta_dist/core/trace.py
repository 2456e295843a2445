"""Name the job that a process belongs to by its trace id, which its runs, model versions, pages and logs carry.

A trace id is written beside results and never into anything that must be equal for equal data: no fingerprint,
weight, score, certificate or hash depends on it.
"""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
import time

VARIABLE = "RFMETA_TRACE"
_RAY_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # Ray sets it for the driver of a job
_LONGEST = 128


def trace_id() -> str:
    """Return the trace id of this process: letters, digits and `.`, `_`, `:`, `-`, at most 128 characters.

    It is RFMETA_TRACE if that is set; else the submission id of the Ray job whose driver this process is; else
    `local-{unix time}-{4 hex digits}`, made once for the process. Other characters are replaced by `-`.
    """
    given = os.environ.get(VARIABLE) or _submission() or _local()
    return re.sub(r"[^A-Za-z0-9._:-]", "-", given)[:_LONGEST]


def hand_on() -> str:
    """Set RFMETA_TRACE, so that processes which this one starts have the same trace id. Return the id."""
    os.environ[VARIABLE] = trace_id()
    return os.environ[VARIABLE]


def _submission() -> str:
    try:
        return str(json.loads(os.environ.get(_RAY_JOB, "{}"))["metadata"]["job_submission_id"])
    except (ValueError, KeyError, TypeError):
        return ""


@functools.cache
def _local() -> str:
    return f"local-{int(time.time())}-{secrets.token_hex(2)}"
