"""Run `ray start` so that its node listens on loopback alone.

Ray 2.60 replaces a node address of 127.0.0.1 by the address under which other machines reach this one, and then
listens on all interfaces. It does not if several machines are switched off, as on macOS, but then it refuses to
start a worker node. So the switch is off for all processes of the node, and on for the check in this one.
"""

from __future__ import annotations

import os
import sys

SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def main() -> None:
    """Give the arguments of the command line to `ray start`."""
    os.environ[SWITCH] = "0"
    from ray._private import ray_constants, services
    from ray.scripts.scripts import main as ray

    services.get_node_ip_address = lambda address=None: "127.0.0.1"  # noqa: ARG005 -- Ray names the argument
    ray_constants.ENABLE_RAY_CLUSTER = True
    sys.argv[1:1] = ["start"]
    ray()


if __name__ == "__main__":
    main()
