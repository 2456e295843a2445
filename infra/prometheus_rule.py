"""`python -m infra.prometheus_rule`: write the alerts of infra/monitoring for the Prometheus operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).parent
ALERTS = INFRA / "monitoring/alerts.yaml"
RULE = INFRA / "kubernetes/components/monitoring/prometheus_rule.yaml"
HEAD = "# Written by `python -m infra.prometheus_rule` from infra/monitoring/alerts.yaml. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Write a text of several lines as it reads, and indent lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def rule(alerts: str) -> str:
    """Return the PrometheusRule that has the groups of a rule file of Prometheus.

    Args:
        alerts: the content of the rule file, YAML.
    """
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "rfmeta", "labels": {"app.kubernetes.io/part-of": "rfmeta"}},
        "spec": yaml.safe_load(alerts),
    }
    return HEAD + yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120)


if __name__ == "__main__":
    RULE.write_text(rule(ALERTS.read_text(encoding="utf-8")), encoding="utf-8")
