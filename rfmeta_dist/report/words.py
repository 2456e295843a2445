"""How figures are written: percentages, intervals, and the names of leave-one-out splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal: 0.173 → `17.3 %`."""
    return f"{number(fraction)}{NARROW_SPACE}%"


def number(fraction: float) -> str:
    """A fraction in percent without the sign: 0.173 → `17.3`; never `-0.0`."""
    return f"{round(100 * fraction, 1) + 0.0:.1f}"


def interval(figure: Mapping[str, Any]) -> str:
    """The 95 % interval of a figure, in percent: `[12.1, 22.0]`."""
    return f"[{number(figure['low'])}, {number(figure['high'])}]"


def with_interval(figure: Mapping[str, Any]) -> str:
    """A figure and its interval: `17.3 % [12.1, 22.0]`."""
    return f"{percent(figure['value'])} {interval(figure)}"


def split_name(sources: Iterable[str], target: str) -> str:
    """A leave-one-out split as the literature writes it: `O&C&I→M`."""
    return f"{'&'.join(sources)}→{target}"
