"""Ask Prometheus' own tool, and read expressions from the dashboard and the alerts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "infra/monitoring"
NEEDS_PROMTOOL = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


def promtool(*arguments: str) -> str:
    """Run promtool in infra/monitoring, and return what it prints."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions() -> list[tuple[str, str]]:
    """Return title and expression of each query of the dashboard, with Grafana's variables filled in."""
    panels = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return [(panel["title"], filled(target["expr"])) for panel in panels for target in panel.get("targets", ())]


def filled(expression: str) -> str:
    """Return an expression as Grafana would send it, with an interval of five minutes and all runs."""
    return re.sub(r"\$\w+", ".*", expression.replace("[$__rate_interval]", "[5m]"))


def alerts() -> dict[str, dict]:
    """Return the alerts by their names."""
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}
