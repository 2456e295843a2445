"""Define the errors that a user can cause. Each is one line: what is wrong, and what to do about it.

    RfmetaError                exit code
    ├── ConfigError            2   a configuration field, option or argument is wrong
    ├── DataError              3   a manifest, shard or sample is missing, damaged or unusable
    │   └── PictureError       3   a picture or video cannot be read
    ├── StorageError           4   an object store or disk cannot be reached, read or written
    ├── RunError               5   a run cannot start, resume or be evaluated as asked
    │   ├── DivergedError      5   losses, gradients or scores are not numbers
    │   └── PackageError       5   a deployment package is missing, changed, or of another format
    ├── ClusterError           6   Ray, or a job on it, failed or refused
    ├── InstallationError      7   a package that the command needs is not installed
    └── VerificationError      1   a check failed (gradient, golden figures, shard hashes)

The command line prints the line and exits with the code. Code that uses the library catches the class.
"""

from __future__ import annotations

from typing import Any

from rfmeta_dist.core.credentials import masked


class RfmetaError(Exception):
    """Base class of all errors that this package raises on purpose.

    Args:
        problem: what is wrong; it names the field, file or object.
        remedy: what the user can do about it.

    In both texts, credentials are replaced by `***`.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = masked(problem), masked(remedy)
        super().__init__(self.problem, self.remedy)

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles errors to send them between processes. Exception.__reduce__ would call the constructor
        # with problem and remedy, which fails for a subclass whose constructor takes other arguments.
        return _restored, (type(self), self.args), vars(self)


def _restored(kind: type[RfmetaError], args: tuple[Any, ...]) -> RfmetaError:
    """Create an error without calling the constructor of its class. Unpickling then sets its attributes."""
    return kind.__new__(kind, *args)


class ConfigError(RfmetaError):
    """A configuration field, option or argument is unknown or out of range."""

    exit_code = 2


class DataError(RfmetaError):
    """A manifest, shard or sample is missing or damaged, or cannot be used for what was asked."""

    exit_code = 3


class PictureError(DataError):
    """A picture or video cannot be read: it is damaged, too large, or of a format that is not supported."""


class StorageError(RfmetaError):
    """An object store or disk cannot be reached, read or written."""

    exit_code = 4


class RunError(RfmetaError):
    """A run cannot be started, resumed or evaluated as asked."""

    exit_code = 5


class DivergedError(RunError):
    """Losses, gradients or scores are not finite numbers. The same training would diverge again."""


class PackageError(RunError):
    """A deployment package is missing, changed after the export, of another format, or cannot be made."""


class ClusterError(RfmetaError):
    """Ray, or a job submitted to it, failed or refused the request."""

    exit_code = 6


class InstallationError(RfmetaError):
    """A package that the command needs is not installed; it belongs to an optional extra."""

    exit_code = 7


class VerificationError(RfmetaError):
    """A check failed: a gradient, a golden figure or a hash differs from what it should be."""

    exit_code = 1
