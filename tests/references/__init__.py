"""Second computations of the learning rules: the paper's own in tests/reference.py, others each in a file here.

A file has METHODS, by the name of the method; of a method with phases or turns by `name/phase/turn`, counted
from 0. SURROGATES names those whose gradient is not the slope of their value. SMOOTH has the settings with
which finite differences of a method are taken, where those of the other tests make them meet a kink.
"""

from importlib import import_module
from pathlib import Path

from tests import reference

METHODS = dict(reference.METHODS)
SURROGATES = {"first_order"}
SMOOTH = {}
for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    module = import_module(f"{__name__}.{path.stem}")
    METHODS |= module.METHODS
    SURROGATES |= getattr(module, "SURROGATES", set())
    SMOOTH |= getattr(module, "SMOOTH", {})


def key(method: str, phase: int, turn: int) -> str:
    """Return the name of the reference of a turn."""
    several = f"{method}/{phase}/{turn}"
    return several if several in METHODS else method
