"""The alerts and the dashboard pass Prometheus' own checks, and use only metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from infra.monitoring import dashboard
from rfmeta_dist.cluster import meters
from rfmeta_dist.monitoring.samples import FIGURES
from tests.monitoring.promtool import FOLDER, NEEDS_PROMTOOL, alerts, expressions, promtool

METRIC = re.compile(r"\b(?:ray_)?rfmeta_\w+")
COUNTERS = {"stream": meters.STREAM, "train": {**meters.WORKER, **meters.FIRST}}
LIVE = {f"ray_rfmeta_{prefix}_{name}_total" for prefix, names in COUNTERS.items() for name in names} | {
    f"ray_rfmeta_train_{name}" for name in meters.GAUGES
}
PLANTED = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]


@NEEDS_PROMTOOL
def test_the_configuration_and_the_alerts_are_valid():
    assert "SUCCESS" in promtool("check", "config", "prometheus.yaml")
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "alerts.yaml")


@NEEDS_PROMTOOL
def test_each_planted_cause_fires_its_alert_and_a_healthy_system_is_silent():
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yaml")


def test_every_alert_has_a_planted_cause_and_healthy_series():
    firing = {
        found
        for test in PLANTED
        for query in test["promql_expr_test"]
        for sample in query["exp_samples"]
        for found in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert firing == set(alerts())
    healthy = {name for series in PLANTED[0]["input_series"] for name in METRIC.findall(series["series"])}
    used = {name for rule in alerts().values() for name in METRIC.findall(rule["expr"])}
    assert used - healthy == set()


def test_an_alert_says_the_cause_and_what_to_do():
    for name, rule in alerts().items():
        assert set(rule["annotations"]) == {"summary", "remedy"}, name
        assert rule["labels"]["severity"] in ("warning", "critical"), name


@NEEDS_PROMTOOL
def test_every_expression_of_the_dashboard_is_valid(tmp_path: Path):
    rules = [{"record": f"panel:{n}", "expr": query} for n, (_, query) in enumerate(expressions())]
    assert len(rules) > 40
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_alerts_and_dashboard_use_only_metrics_that_exist():
    used = {name for _, query in expressions() for name in METRIC.findall(query)}
    used |= {name for rule in alerts().values() for name in METRIC.findall(rule["expr"])}
    assert used - LIVE - set(FIGURES) == set()


def test_every_metric_is_on_the_dashboard_or_in_an_alert():
    used = " ".join([*(query for _, query in expressions()), *(rule["expr"] for rule in alerts().values())])
    single = {name for name in FIGURES if name.startswith("rfmeta_run_")}  # of a run that is named
    times = {"rfmeta_retraining_drift_time_seconds"}
    assert (LIVE | set(FIGURES)) - single - times - set(METRIC.findall(used)) == set()


def test_the_dashboard_is_what_its_generator_writes():
    assert json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8")) == dashboard.dashboard()
