"""Format figures: percentages, intervals, and the names of leave-one-out splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


def percent(fraction: float) -> str:
    """Format a fraction as a percentage with one decimal: 0.173 → `17.3 %`."""
    return f"{number(fraction)}{NARROW_SPACE}%"


def number(fraction: float) -> str:
    """Format a fraction in percent without the sign `%`: 0.173 → `17.3`, −0.05 → `−5.0`; never `−0.0`."""
    return f"{round(100 * fraction, 1) + 0.0:.1f}".replace("-", MINUS)


def mean_and_deviation(fractions: Sequence[float]) -> str:
    """Format the mean of fractions in percent, and their sample standard deviation if there are several."""
    import numpy as np

    mean = number(float(np.mean(fractions)))
    return f"{mean} ± {number(float(np.std(fractions, ddof=1)))}" if len(fractions) > 1 else mean


def signed(fraction: float) -> str:
    """Format a difference of fractions in percentage points, with its sign: 0.05 → `+5.0`, −0.05 → `−5.0`."""
    text = number(fraction)
    return text if text == "0.0" or text.startswith(MINUS) else f"+{text}"


def interval(figure: Mapping[str, Any]) -> str:
    """Format the 95 % interval of a figure, in percent: `[12.1, 22.0]`; "" if there is none."""
    if figure["low"] is None:
        return ""
    return f"[{number(figure['low'])}, {number(figure['high'])}]"


def with_interval(figure: Mapping[str, Any]) -> str:
    """Format a figure and its interval, if it has one: `17.3 % [12.1, 22.0]`."""
    return f"{percent(figure['value'])} {interval(figure)}".rstrip()


def split_name(sources: Iterable[str], target: str) -> str:
    """Return the name of a leave-one-out split as in the literature, `O&C&I→M`, or of a protocol: `O/3_2`."""
    return target if "/" in target else f"{'&'.join(sources)}→{target}"


def clock(time: object) -> str:
    """Format an ISO 8601 time with a space where a line can break: `2025-11-23 20:45:00 UTC`."""
    return str(time).replace("T", " ", 1).replace("+00:00", f"{NARROW_SPACE}UTC")
