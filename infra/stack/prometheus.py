"""Prometheus, as Debian installs it, which gathers the figures of Ray's nodes and of runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
REMEDY = "Prometheus is not installed; going on without it. To have it: apt-get install prometheus"


def installed() -> str | None:
    """Return the program; None if this machine has none."""
    return shutil.which("prometheus")


def command(program: str, temp: Path, folder: Path, ports: dict[str, int]) -> list[str]:
    """Write the configuration and return the command that runs the program on loopback.

    Args:
        program: from `installed`.
        temp: has the head's folder, in which Ray lists where its figures are.
        folder: holds the figures; they are kept.
        ports: `prometheus`, and `metrics` if the figures of runs are served.
    """
    configuration = temp / "prometheus.yaml"
    configuration.write_text(_configuration(temp / "0/prom_metrics_service_discovery.json", ports))
    return [
        program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder}",
        f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        "--storage.tsdb.retention.time=15d",
    ]


def _configuration(targets: Path, ports: dict[str, int]) -> str:
    """Return the configuration as JSON, which is YAML too."""
    jobs: list[dict[str, object]] = [
        {"job_name": "ray", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "5s"}]}
    ]
    if "metrics" in ports:
        place = [{"targets": [f"127.0.0.1:{ports['metrics']}"]}]
        jobs.append({"job_name": "rfmeta", "static_configs": place})
    rules = sorted(str(path) for path in (ROOT / "infra/monitoring").glob("alerts.yaml"))
    every = {"scrape_interval": "10s", "evaluation_interval": "10s"}
    return json.dumps({"global": every, "rule_files": rules, "scrape_configs": jobs}, indent=1)
