"""Prometheus, as Debian installs it, which gathers the figures of Ray's nodes and of runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

MONITORING = Path(__file__).parents[1] / "monitoring"
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
    """Return infra/monitoring/prometheus.yaml with the places of this stack, as JSON, which is YAML too."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yaml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "10s", "evaluation_interval": "10s"}
    configuration["rule_files"] = [str(MONITORING / name) for name in configuration["rule_files"]]
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    jobs["ray"]["file_sd_configs"] = [{"files": [str(targets)], "refresh_interval": "5s"}]
    if "metrics" in ports:
        jobs["rfmeta"]["static_configs"] = [{"targets": [f"127.0.0.1:{ports['metrics']}"]}]
    else:
        del jobs["rfmeta"]
    return json.dumps({**configuration, "scrape_configs": [*jobs.values()]}, indent=1)
