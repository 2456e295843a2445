"""Hold the time limits of what is asked of a cluster, and the exit codes that are not the job's own."""

from __future__ import annotations

CONNECT_S = 5
ANSWER_S = 30  # seconds for one answer; Ray's client would wait for ever
QUIET_S = 10  # seconds without a line of the log before the job's status is asked for
RETRY_S = 2  # seconds between two connections to a log
LOST_S = 60  # seconds without any answer before giving up; a head that restarts needs less
POLL_S = 1  # seconds between two questions about a job whose log nobody reads
STOP_S = 60  # seconds to wait for a job to stop; Ray kills it 3 s after SIGTERM, or 30 s on Kubernetes
PENDING_S = 10  # seconds to wait for a pending job to stop
START_S = 900  # seconds after which Ray lets a pending job fail: RAY_JOB_START_TIMEOUT_SECONDS of the head

STOPPED = 143  # exit code of a process that SIGTERM ended; 128 + 15
TIMED_OUT = 124  # exit code if a deadline or a time limit has passed; `timeout` of coreutils uses it too
