"""Parse options that hold several values, separated by commas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rfmeta_dist.core.errors import ConfigError

Choice = TypeVar("Choice", bound=str)


def names(given: str | None) -> list[str]:
    """Return the values of an option without surrounding spaces; an empty list if the option was not given."""
    return [name.strip() for name in given.split(",")] if given else []


def numbers(option: str, given: str | None, least: int = 0) -> list[int]:
    """Return the integers of an option.

    Args:
        option: name of the option, without dashes.
        given: text of the option; None if it was not given.
        least: smallest integer that is allowed.

    Raises:
        ConfigError: a value is not an integer, or is less than `least`.
    """
    try:
        found = [int(number) for number in names(given)]
    except ValueError:
        found = [least - 1]
    if any(number < least for number in found):
        problem = f"--{option} {given!r} is not a list of integers of at least {least}, separated by commas"
        raise ConfigError(problem, f"write --{option} {least},{least + 1}")
    return found


def pick(option: str, given: Sequence[str] | None, known: Sequence[Choice]) -> list[Choice]:
    """Return the chosen values of a repeatable option in the order of `known`; all of them if none is given.

    Args:
        option: name of the option, without dashes.
        given: texts of the option, each with one value or several that are separated by commas.
        known: values that may be chosen.

    Raises:
        ConfigError: a value is not in `known`.
    """
    wanted = [name for part in given or () for name in names(part)]
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"{unknown[0]!r} is no value of --{option}", f"choose from {', '.join(known)}")
    return [name for name in known if name in wanted or not given]
