"""Parse options that hold several values, separated by commas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rfmeta_dist.core.errors import ConfigError

Choice = TypeVar("Choice", bound=str)


def names(given: str | None) -> list[str]:
    """Return the values of an option, without the spaces around them; none if it was not given."""
    return [name.strip() for name in given.split(",")] if given else []


def numbers(option: str, given: str | None, least: int = 0) -> list[int]:
    """Return the integers of an option.

    Args:
        option: its name, without dashes.
        given: its value.
        least: the smallest that is allowed.

    Raises:
        ConfigError: one is not an integer, or less than `least`.
    """
    try:
        found = [int(number) for number in names(given)]
    except ValueError:
        found = [least - 1]
    if any(number < least for number in found):
        problem = f"--{option} {given!r} is not a list of numbers from {least} up"
        raise ConfigError(problem, f"write --{option} {least},{least + 1}")
    return found


def pick(option: str, given: Sequence[str] | None, known: Sequence[Choice]) -> list[Choice]:
    """Return the values of a repeatable option, in the order they are known in; all if none is given.

    Args:
        option: its name, without dashes.
        given: each time it was given.
        known: what may be chosen.

    Raises:
        ConfigError: a name is unknown.
    """
    wanted = [name for part in given or () for name in names(part)]
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"--{option} {unknown[0]!r} is unknown", f"choose from {', '.join(known)}")
    return [name for name in known if name in wanted or not given]
