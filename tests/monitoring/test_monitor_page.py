"""The page on monitoring lists the metrics and alerts that there are, in the same words."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.cluster import meters
from rfmeta_dist.monitoring.samples import FIGURES
from tests.monitoring.promtool import alerts

PAGE = (Path(__file__).parents[2] / "docs/how-to/monitor.md").read_text(encoding="utf-8")
TRAIN = "`run` or `study`, `target`"
LIVE = {
    **{
        f"ray_rfmeta_stream_{n}_total": ("`run` or `study`, `domain`", text)
        for n, text in meters.STREAM.items()
    },
    **{f"ray_rfmeta_train_{n}_total": (f"{TRAIN}, `worker`", text) for n, text in meters.WORKER.items()},
    **{f"ray_rfmeta_train_{n}_total": (TRAIN, text) for n, text in meters.FIRST.items()},
    **{f"ray_rfmeta_train_{n}": ("`run`, `target`", text) for n, text in meters.GAUGES.items()},
    "ray_rfmeta_train_active": (TRAIN, meters.GAUGES["active"]),
    "ray_rfmeta_train_loss": ("`run`, `target`, `part`", meters.GAUGES["loss"]),
}


def rows(*names: str) -> list[list[str]]:
    """Return the cells of the page's table rows whose first cell begins with one of these names."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines()]
    return [found for found in cells if found[0].strip("`").startswith(names) and len(found) > 1]


def test_the_page_lists_the_metrics_of_workers():
    assert rows("ray_rfmeta_") == [[f"`{name}`", labels, text] for name, (labels, text) in LIVE.items()]


def test_the_page_lists_the_figures_of_the_store():
    wanted = [
        [f"`{name}`", ", ".join(f"`{label}`" for label in labels), text]
        for name, (labels, text) in FIGURES.items()
    ]
    assert rows("rfmeta_") == wanted


def test_the_page_says_of_each_alert_what_to_do():
    wanted = [[f"`{name}`", rule["labels"]["severity"]] for name, rule in alerts().items()]
    assert [found[:2] for found in rows(*alerts())] == wanted
