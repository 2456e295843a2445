"""Write dashboard.json, which Grafana imports: python infra/monitoring/dashboard.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("dashboard.json")
WIDTH = 24  # columns of Grafana's grid
RUN = 'run=~"$run"'
BY = "by (run, study, target)"


@dataclass(frozen=True)
class Panel:
    """A panel.

    Attributes:
        title: what it shows, in words.
        queries: expression and legend of each of its queries.
        unit: Grafana's name of the unit.
        stat: True to show the present value alone, instead of its course.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    stat: bool = False


def one(title: str, query: str, legend: str = "", unit: str = "short", *, stat: bool = False) -> Panel:
    """Return a panel with one query."""
    return Panel(title, ((query, legend),), unit, stat)


def rate(metric: str, labels: str = RUN) -> str:
    """Return how much a worker's counter rises per second, over all processes of a training."""
    return f"sum {BY} (rate(ray_rfmeta_{metric}_total{{{labels}}}[$__rate_interval]))"


def read(metric: str) -> str:
    """Return how much a reader's counter rises per second, by domain."""
    return f"sum by (domain) (rate(ray_rfmeta_stream_{metric}_total{{{RUN}}}[$__rate_interval]))"


def gauge(metric: str, by: str = "run, target") -> str:
    """Return a gauge of runs."""
    return f"max by ({by}) (ray_rfmeta_train_{metric}{{{RUN}}})"


def age(metric: str, by: str) -> str:
    """Return the seconds since a time; 0 if there is none."""
    return f"(time() - max by ({by}) ({metric})) * (max by ({by}) ({metric}) > bool 0)"


NAME = "{{run}}{{study}} {{target}}"
SHOP = "{{retraining}}"
ROWS: dict[str, list[Panel]] = {
    "Overview": [
        one("Trainings at work", "sum(ray_rfmeta_train_active) or vector(0)", stat=True),
        one("Alerts that fire", 'count(ALERTS{alertstate="firing"}) or vector(0)', stat=True),
        one("Metrics ports of the cluster that answer", 'sum(up{job="ray"}) or vector(0)', stat=True),
        one("Folders that can be read", "sum(rfmeta_store_up) or vector(0)", stat=True),
    ],
    "Training": [
        one(
            "Share of the steps that is done",
            f"{gauge('step')} / {gauge('steps_planned')}",
            NAME,
            "percentunit",
        ),
        one("Steps per second", rate("train_steps", f'{RUN}, worker="0"'), NAME),
        one(
            "Time left",
            f"({gauge('steps_planned')} - {gauge('step')}) / "
            f'sum by (run, target) (rate(ray_rfmeta_train_steps_total{{{RUN}, worker="0"}}[$__rate_interval]))',
            NAME,
            "s",
        ),
        one("Seconds per step", f"{rate('train_seconds')} / {rate('train_steps')}", NAME, "s"),
        one(
            "Share of the time spent waiting for data",
            f"{rate('train_data_seconds')} / {rate('train_seconds')}",
            NAME,
            "percentunit",
        ),
        one(
            "Loss and its parts",
            f'max by (run, target, part) (ray_rfmeta_train_loss{{{RUN}, part!="gradient_norm"}})',
            "{{run}} {{target}} {{part}}",
        ),
        one(
            "Norm of the gradient",
            f'max by (run, target) (ray_rfmeta_train_loss{{{RUN}, part="gradient_norm"}})',
            NAME,
        ),
        one(
            "Steps with a loss that is not finite, in an hour",
            f"sum {BY} (increase(ray_rfmeta_train_not_finite_steps_total{{{RUN}}}[1h]))",
            NAME,
        ),
        Panel(
            "Workers, and how often they were started",
            ((gauge("workers"), "{{run}} workers"), (gauge("starts"), "{{run}} starts")),
        ),
        one(
            "Age of the newest checkpoint",
            age(f"ray_rfmeta_train_checkpoint_time_seconds{{{RUN}}}", "run"),
            NAME,
            "s",
        ),
        one(
            "Seconds to write a checkpoint",
            f"sum {BY} (ray_rfmeta_train_checkpoint_seconds_total{{{RUN}}})"
            f" / sum {BY} (ray_rfmeta_train_checkpoints_total{{{RUN}}})",
            NAME,
            "s",
        ),
    ],
    "Data": [
        one("Samples per second", read("samples"), "{{domain}}"),
        one("Bytes per second from the store", read("bytes_read"), "{{domain}}", "Bps"),
        one(
            "Share of the shards found in a cache",
            f"{read('cache_hits')} / ({read('cache_hits')} + {read('shards_read')})",
            "{{domain}}",
            "percentunit",
        ),
        one("Seconds per second that a reader had no sample ready", read("stalled"), "{{domain}}"),
        Panel(
            "Repeated requests, and shards that the cache did not take, per second",
            ((read("retries"), "{{domain}} repeated"), (read("cache_faults"), "{{domain}} not cached")),
        ),
    ],
    "Cluster": [
        one("Nodes", "max by (SessionName) (ray_local_resource_view_node_count)", "nodes"),
        one("CPU", "max by (ip) (ray_node_cpu_utilization) / 100", "{{ip}}", "percentunit"),
        one("Memory in use", "max by (ip) (ray_node_mem_used / ray_node_mem_total)", "{{ip}}", "percentunit"),
        one("Free disk", "min by (ip) (ray_node_disk_free)", "{{ip}}", "bytes"),
    ],
    "Runs in the store": [
        one("Runs by state", "sum by (folder, state) (rfmeta_runs)", "{{folder}} {{state}}"),
        one(
            "HTER by video on the target", "rfmeta_runs_hter", "{{folder}} {{target}} {{method}}", "percentunit"
        ),
        one("AUC by video on the target", "rfmeta_runs_auc", "{{folder}} {{target}} {{method}}", "percentunit"),
        one("State of each run", 'rfmeta_run_state{run=~"$run"} == 1', "{{run}} {{target}} {{state}}"),
        one(
            "Share of the steps that the newest checkpoint has",
            'rfmeta_run_steps{run=~"$run"} / rfmeta_run_steps_planned{run=~"$run"}',
            "{{run}} {{target}}",
            "percentunit",
        ),
    ],
    "Studies": [
        one("State of each study", "rfmeta_study_state == 1", "{{study}} {{state}}"),
        one(
            "Share of the steps that are needed at most",
            "rfmeta_study_steps / rfmeta_study_steps_planned",
            "{{study}}",
            "percentunit",
        ),
        one("Trainings", "rfmeta_study_trainings", "{{study}} {{state}}"),
        one("Candidates by target", "rfmeta_study_candidates > 0", "{{study}} {{target}} {{state}}"),
        one("Score of the best candidate so far", "rfmeta_study_best", "{{study}} {{target}}", "percentunit"),
    ],
    "Retraining": [
        one("Time since the last look", age("rfmeta_retraining_look_time_seconds", "retraining"), SHOP, "s"),
        one("What the last look decided", "rfmeta_retraining_look == 1", "{{retraining}} {{decision}}"),
        Panel(
            "New videos",
            (
                ("rfmeta_retraining_new_videos", "{{retraining}} that count"),
                ("rfmeta_retraining_unreviewed_videos", "{{retraining}} not reviewed"),
            ),
        ),
        one("Attempts by outcome", "rfmeta_retraining_attempts", "{{retraining}} {{outcome}}"),
        one("Outcome of the last attempt", "rfmeta_retraining_last_outcome == 1", "{{retraining}} {{outcome}}"),
        one("Age of the open attempt", age("rfmeta_retraining_open_time_seconds", "retraining"), SHOP, "s"),
        one(
            "Time that a model has waited for approval",
            age("rfmeta_retraining_approval_time_seconds", "retraining"),
            SHOP,
            "s",
        ),
        Panel(
            "Drift found (1), audit log intact (1)",
            (
                ("rfmeta_retraining_drift", "{{retraining}} drift"),
                ("rfmeta_retraining_audit_intact", "{{retraining}} audit log"),
            ),
        ),
        one("Number of the champion", "rfmeta_retraining_champion", SHOP, stat=True),
        one("Age of the champion", age("rfmeta_retraining_champion_time_seconds", "retraining"), SHOP, "s"),
        one(
            "The champion's error rates on its frozen videos",
            "rfmeta_retraining_champion_error",
            "{{retraining}} {{rate}} {{type}}",
            "percentunit",
        ),
    ],
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, shown in ROWS.items():
        panels.append(
            _placed({"type": "row", "title": row, "collapsed": False, "panels": []}, 0, top, WIDTH, 1)
        )
        top += 1
        width, height = (WIDTH // 4, 4) if all(panel.stat for panel in shown) else (WIDTH // 3, 8)
        across = WIDTH // width
        for number, panel in enumerate(shown):
            below = top + number // across * height
            panels.append(_placed(_panel(panel), number % across * width, below, width, height))
        top += -(-len(shown) // across) * height
    for number, made in enumerate(panels, 1):
        made["id"] = number
    return {
        "title": "RFMeta",
        "uid": "rfmeta",
        "schemaVersion": 39,
        "tags": ["rfmeta"],
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "editable": True,
        "templating": {"list": [_DATASOURCE, _RUNS]},
        "panels": panels,
    }


_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_DATASOURCE = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
_RUNS = {
    "name": "run",
    "label": "Run",
    "type": "query",
    "datasource": _SOURCE,
    "query": {
        "query": 'label_values({__name__=~"ray_rfmeta_train_steps_total|rfmeta_run_state"}, run)',
        "refId": "run",
    },
    "refresh": 2,
    "includeAll": True,
    "multi": True,
    "allValue": ".*",  # also the trainings of studies, which have no run
    "current": {"text": "All", "value": "$__all"},
}


def _placed(panel: dict[str, Any], x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {**panel, "gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for n, (query, legend) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(dashboard(), indent=1) + "\n", encoding="utf-8")
