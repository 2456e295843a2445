"""Write the log as JSON: every line that goes to stderr becomes one object, `{"time": …, "level": …, …}`.

    time        ISO 8601, UTC, with milliseconds
    level       debug, info, warning, error or critical
    message     the text; line ends are escaped, colours are removed
    trace       see trace.py
    command     the command, such as `train` or `models show`
    logger      name of the Python logger, if the message came through one
    error, problem, remedy, exit_code    of an error that ends the command

Lines that native code writes past Python, such as an abort of the C library, stay as they are.
"""

from __future__ import annotations

import atexit
import io
import json
import logging
import os
import re
import signal
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import IO, Any

from rfmeta_dist.core.credentials import masked
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.trace import trace_id

VARIABLE = "RFMETA_LOG_FORMAT"
JSON = "json"
_STYLES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\].*?(?:\x07|\x1b\\)")  # colours, cursor moves, titles


class JsonLines(io.TextIOBase):
    """A text stream that writes each line it gets as one JSON object.

    A line is complete at its line end. Lines of several threads are not mixed.

    Args:
        stream: where the objects go.
        command: the command whose log it is.
    """

    def __init__(self, stream: IO[str], command: str) -> None:
        self.stream, self.command = stream, command
        self._lock, self._parts = threading.Lock(), threading.local()

    def write(self, text: str) -> int:
        """Take a piece of text. A library wrote it without saying how important it is, so it is a warning."""
        *lines, rest = (getattr(self._parts, "rest", "") + text).split("\n")
        self._parts.rest = rest
        for line in lines:
            self._warn(line)
        return len(text)

    def finish(self) -> None:
        """Write what this thread has begun as a line and not ended."""
        rest, self._parts.rest = getattr(self._parts, "rest", ""), ""
        self._warn(rest)

    def _warn(self, line: str) -> None:
        shown = line.rstrip("\r").rpartition("\r")[2]  # a bar of progress overwrites its line again and again
        if _STYLES.sub("", shown).strip():
            self.emit("warning", shown)

    def emit(self, level: str, message: str, **further: Any) -> None:
        """Write one object. If nobody reads the stream any longer, the program ends, with exit code 141."""
        further = {name: masked(value) if isinstance(value, str) else value for name, value in further.items()}
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = _STYLES.sub("", masked(message)).strip()
        line = {"time": now, "level": level, "message": text, "trace": trace_id(), "command": self.command}
        with self._lock:
            try:
                self.stream.write(json.dumps({**line, **further}) + "\n")
                self.stream.flush()
            except BrokenPipeError:
                self.stream = open(os.devnull, "w")  # noqa: SIM115 - Python flushes it when it exits
                raise SystemExit(128 + signal.SIGPIPE) from None
            except OSError:  # a disk that is full must not end the work, and there is nowhere to say it
                pass

    def flush(self) -> None:
        """Flush the stream below. The beginning of a line is kept until the line ends."""
        self.stream.flush()

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False, so that nobody writes colours or bars of progress."""
        return False

    def fileno(self) -> int:
        """Return the descriptor of the stream below, for programs that are started with it."""
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the stream below. The objects are ASCII."""
        return str(getattr(self.stream, "encoding", "utf-8"))


class _Handler(logging.Handler):
    """Passes what Python's loggers get on to stderr's stream of objects."""

    def emit(self, record: logging.LogRecord) -> None:
        out = stream()
        if out is None:
            return
        try:
            message = record.getMessage()
            if record.exc_info and record.exc_info[0]:
                message += "\n" + "".join(traceback.format_exception(*record.exc_info))
            out.emit(record.levelname.lower(), message, logger=record.name)
        except Exception:  # noqa: BLE001 - a log line that cannot be written must not end the work
            self.handleError(record)


def stream() -> JsonLines | None:
    """Return stderr if it is a stream of JSON objects, else None."""
    return sys.stderr if isinstance(sys.stderr, JsonLines) else None


def open_json(command: str) -> None:
    """Write everything that goes to stderr as JSON from now on, here and in programs started from here.

    Python's loggers and warnings are part of it.

    Args:
        command: the command whose log it is.
    """
    if (out := stream()) is not None:
        out.command = command
        return
    os.environ[VARIABLE] = JSON
    sys.stderr = out = JsonLines(sys.stderr, command)
    atexit.register(out.finish)  # the last line of a job's log may have no end
    logging.getLogger().addHandler(_Handler())
    logging.captureWarnings(True)


def inherit() -> None:
    """Write JSON if the program that started this process does, or if RFMETA_LOG_FORMAT asks for it."""
    if os.environ.get(VARIABLE) == JSON:
        open_json("")


def close_json() -> None:
    """Write text to stderr again."""
    if (out := stream()) is not None:
        out.finish()
        atexit.unregister(out.finish)
        sys.stderr = out.stream
        os.environ.pop(VARIABLE, None)
    root = logging.getLogger()
    if mine := [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        for handler in mine:
            root.removeHandler(handler)
        logging.captureWarnings(False)


def failed(error: RfmetaError) -> dict[str, Any]:
    """Return the fields of an error that ends a command."""
    return {
        "error": type(error).__name__,
        "problem": error.problem,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }


def hide_credentials() -> None:
    """Print errors that nobody catches, in this thread or another one, without credentials."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda found: _uncaught(
        found.exc_type, found.exc_value or found.exc_type(), found.exc_traceback
    )


def _uncaught(kind: type[BaseException], error: BaseException, where: Any) -> None:
    if issubclass(kind, SystemExit):  # a thread has ended itself
        return
    text = "".join(traceback.format_exception(kind, error, where))
    if (out := stream()) is not None:
        out.emit("critical", text, error=kind.__name__)
    else:
        sys.stderr.write(masked(text))
