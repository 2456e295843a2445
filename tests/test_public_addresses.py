"""No shipped script or manifest opens a server to other networks, and no container has the host's network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = [
    path
    for folder in ("infra", "jobs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and path.suffix != ".pyc"
]
EVERYWHERE = re.compile(
    r"""0\.0\.0\.0(?!/)|(?:host|address|bind)["']?\s*[:=]\s*["']?(?:\*|\[?::\]?)["']?\s*$""", re.M
)
EXPOSED = re.compile(
    r"^\s*(?:-\s+)?(?:type:\s*(?:LoadBalancer|NodePort)|kind:\s*Ingress|host(?:Network|PID|IPC):\s*true|hostPort:)",
    re.M,
)


def problems(text: str, *, in_a_pod: bool = False) -> list[str]:
    """Return what in a file reaches other networks. A comment is no setting.

    A server in a pod listens on all of the pod's addresses; who reaches them is the business of the policies
    in the same folder.
    """
    settings = re.sub(r"(^|\s)#.*", "", text)
    patterns = (EXPOSED,) if in_a_pod else (EVERYWHERE, EXPOSED)
    return [found[0].strip() for pattern in patterns for found in pattern.finditer(settings)]


def test_planted_settings_are_found():
    for line in (
        "ray start --dashboard-host 0.0.0.0",
        'dashboard-host: "0.0.0.0"',
        'host: "::"',
        "  type: LoadBalancer",
        "      - hostPort: 80",
        "hostNetwork: true",
        "kind: Ingress",
    ):
        assert problems(line), line
    assert problems("cidr: 0.0.0.0/0  # 0.0.0.0 is all\nhost: 127.0.0.1\npolicyTypes:\n  - Ingress") == []
    assert len(SHIPPED) > 5


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_shipped_opens_a_server_to_other_networks(path: Path):
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # a picture
        return
    assert problems(text, in_a_pod="kubernetes" in path.parts) == []
