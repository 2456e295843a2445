"""Print a constraints file: the version of every package that is installed in this environment.

`make lock` runs this script in a new environment that holds nothing but this project and what it needs.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import distributions

from packaging.utils import canonicalize_name
from packaging.version import Version

HEADER = """\
# The version of every package that `make setup` installs, so that each set-up gives the same packages.
# Written by `make lock` on Python {python}, {system} {machine}. Do not edit: give `make lock` again.
#
# The build of PyTorch for GPUs needs further packages (cuda-…, nvidia-…, triton), which are not listed. It
# names the exact versions of most of them itself.
"""
# pip comes with Python, and a set-up does not replace it. This project is what the file is for.
LEFT_OUT = {"pip", "rfmeta-dist"}


def main() -> None:
    """Print the header and a line `name==version` for each package, sorted by name."""
    about = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    sys.stdout.write(HEADER.format(**about))
    for name, version in sorted((canonicalize_name(d.name), Version(d.version)) for d in distributions()):
        if name not in LEFT_OUT:
            # `public` leaves out a local label, such as the +cpu of 2.13.0+cpu. The label names one build of
            # the version, and a machine with a GPU needs another build.
            sys.stdout.write(f"{name}=={version.public}\n")


if __name__ == "__main__":
    main()
