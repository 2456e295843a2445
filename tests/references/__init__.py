"""Second computations of the learning rules: the paper's own in tests/reference.py, others each in a file here.

A file has METHODS, by the name of the method; of a method with phases or turns by `name/phase/turn`, counted
from 0. SURROGATES names those whose gradient is not the slope of their value.
"""

from importlib import import_module
from pathlib import Path

from tests import reference

METHODS = dict(reference.METHODS)
SURROGATES = {"first_order"}
for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    module = import_module(f"{__name__}.{path.stem}")
    METHODS |= module.METHODS
    SURROGATES |= getattr(module, "SURROGATES", set())


def key(method: str, phase: int, turn: int) -> str:
    """Return the name of the reference of a turn."""
    several = f"{method}/{phase}/{turn}"
    return several if several in METHODS else method
