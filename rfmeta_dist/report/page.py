"""Make the report of one run: a single HTML page that needs no other file, no network and no script.

A run that was judged has a page with the figures of its target. A run without a target has a page about its
training and its sources' validation splits.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from rfmeta_dist import __version__
from rfmeta_dist.evaluation.figures import of_sources
from rfmeta_dist.evaluation.operating import DEFAULT, MEANINGS, require
from rfmeta_dist.report import candidates, judged, needs, plots, words
from rfmeta_dist.report.histograms import histogram
from rfmeta_dist.report.judged import Wording
from rfmeta_dist.report.where import where as by_slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment
    from markupsafe import Markup

    from rfmeta_dist.report.records import RunRecord, TrainedRecord, TrainingRecord

    Row = dict[str, Any]


def render(record: RunRecord, point: str = DEFAULT, where: str = "RUN", *, explained: bool = False) -> str:
    """Return the page of a run as HTML.

    Args:
        record: from `records.read_record`.
        point: the operating point whose figures come first.
        where: path or URL of the run's folder, for errors.
        explained: True if explanation.html lies beside the page, which then links to it.

    Raises:
        ConfigError: there is no operating point of this name.
        RunError: the run was judged by a version without operating points, and `point` is not the default.
    """
    run, figures = record.evaluation, record.evaluation["figures"]
    at = None if point == DEFAULT else needs.at(figures, point, where)["video"]
    return (
        environment()
        .get_template("run.html.jinja")
        .render(
            version=__version__,
            run=run,
            target=run["target"],
            needs=needs.of_evaluation(figures, judged.units(figures)),
            point=point,
            at=at,
            meaning=MEANINGS[point],
            split=words.split_name(run["sources"], run["target"]),
            unsealed=[read for read in _of_target(record) if not read["sealed"]],
            sealed=[read for read in _of_target(record) if read["sealed"]],
            reads=_summed(read for read in record.ledger if read["domain"] != run["target"]),
            where=by_slice(figures),
            examples=_examples(record),
            checkpoints=candidates.section(run.get("checkpoints")),
            explained=explained,
            thresholds=_thresholds(figures),
            **judged.context(figures, _wording(run["target"])),
            **_training(record),
            **_plots(record),
        )
    )


def render_trained(record: TrainedRecord, point: str = DEFAULT) -> str:
    """Return the page of a trained run without a target as HTML: its training, data and validation figures.

    Args:
        record: from `records.read_trained`.
        point: the operating point whose figures come first.

    Raises:
        ConfigError: there is no operating point of this name.
    """
    require(point)
    about, figures = record.model.about, of_sources(record.validation)
    config = about["config"]
    sources = config["data"]["sources"]
    rows = needs.of_sources(record.validation, judged.units(figures))
    at = next(row["sources"] for row in rows["video"] if row["name"] == point)
    histograms = {
        unit: histogram(
            record.validation.per(unit),
            figures[unit]["threshold"]["value"],
            f"Sources' validation splits, per {unit}",
            f"sources-{unit}",
        )
        for unit in judged.units(figures)
    }
    return (
        environment()
        .get_template("trained.html.jinja")
        .render(
            version=__version__,
            sources=sources,
            others=sorted({read["domain"] for read in record.ledger} - set(sources)),
            method=config["method"]["name"],
            seed=config["training"]["seed"],
            step=about.get("step"),
            recalibration=about.get("recalibration"),
            view=record.model.view.words if record.model.view.patches else "",
            figures=figures,
            units=judged.units(figures),
            needs=rows,
            point=point,
            at=None if point == DEFAULT else at,
            histograms=histograms,
            curves=plots.training(record.metrics),
            reads=_summed(record.ledger),
            checkpoints=candidates.section(about.get("checkpoints")),
            **_training(record),
        )
    )


def _training(record: TrainingRecord) -> dict[str, Any]:
    """Return what the pages of all trained runs show."""
    return {
        "fingerprints": _fingerprints(record.ledger),
        "config": record.config,
        "throughput": _throughput(record.metrics),
        "waited": _waited(record.metrics),
        "streams": record.streams,
        "traces": record.traces,
    }


def environment() -> Environment:
    """Return a Jinja environment that escapes all values, with filters that format figures."""
    import jinja2
    from markupsafe import Markup

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("rfmeta_dist.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Only the plots made here are marked as safe. Every text that comes from a run is escaped.
    made.filters |= {
        "percent": words.percent,
        "clock": words.clock,
        "interval": words.interval,
        "with_interval": words.with_interval,
        "points": words.signed,
        "breakable": _breakable,
        "lower_first": lambda text: text[:1].lower() + text[1:],
        "purpose": _purpose,
        "svg": Markup,
    }
    made.globals["trace"] = _trace
    return made


def _trace(traces: Sequence[str]) -> str:
    """Return the words of a page's foot about the jobs that its content comes from; empty if none is known."""
    return f", trace {', '.join(traces)}" if traces else ""


def _plots(record: RunRecord) -> dict[str, Any]:
    """Return the SVG plots: `roc`, `histograms` (for each unit: target, sources), and `curves`."""
    figures, target = record.evaluation["figures"], record.evaluation["target"]
    of_target = {unit: record.target.per(unit) for unit in judged.units(figures)}
    histograms = {}
    for unit, scores in of_target.items():
        sides = (
            (scores, f"{target}, per {unit}", f"target-{unit}"),
            (record.validation.per(unit), f"Sources' validation splits, per {unit}", f"sources-{unit}"),
        )
        threshold = figures[unit]["threshold"]["value"]
        histograms[unit] = [histogram(s, threshold, title, id_) for s, title, id_ in sides]
    return {
        "roc": plots.roc(of_target, figures, target, "from the sources"),
        "histograms": histograms,
        "curves": plots.training(record.metrics),
    }


def _wording(target: str) -> Wording:
    others = "the sources’ validation splits"
    return Wording(target, "from the sources", "from sources", "the target", "the sources", others)


def _thresholds(figures: Mapping[str, Any]) -> list[str]:
    """Return a sentence about the thresholds of each unit."""
    sentences = []
    for unit in judged.units(figures):
        f = figures[unit]
        sentences.append(
            f"A {unit} is accepted as live if its score is at least {f['threshold']['value']:.4f}. This "
            f"threshold gives the {f['threshold']['source']}, which is "
            f"{words.percent(f['source_validation_EER'])}. The oracle threshold is "
            f"{f['oracle_EER']['threshold']:.4f}."
        )
    return sentences


def _of_target(record: RunRecord) -> list[Row]:
    return [read for read in record.ledger if read["domain"] == record.evaluation["target"]]


def _breakable(name: str) -> Markup:
    """Return a name in which a line can break after each underscore."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def _purpose(read: Mapping[str, Any]) -> str:
    return str(read.get("purpose") or read.get("command") or "")


def _summed(reads: Iterable[Row]) -> list[Row]:
    """Return one row for each purpose, domain and split, in the order of the first reads."""
    rows: dict[tuple[str, ...], Row] = {}
    for read in reads:
        key = (_purpose(read), str(read["domain"]), str(read["split"]))
        row = rows.setdefault(key, {"key": key, "time": read["time"], "reads": 0, "samples": 0})
        row["reads"] += 1
        row["samples"] += int(read["samples"])
    return list(rows.values())


def _fingerprints(ledger: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return rows of domain, splits and manifest's hash. A domain that was read in two states has two rows."""
    splits: dict[tuple[str, str], set[str]] = {}
    for read in ledger:
        key = str(read["domain"]), str(read["manifest"])
        splits.setdefault(key, set()).add(str(read["split"]))
    return [(domain, ", ".join(sorted(s)), sha) for (domain, sha), s in sorted(splits.items())]


def _examples(record: RunRecord) -> dict[str, list[Row]]:
    """Return the frames to show, by group, with their scores."""
    scores = record.scores
    row = {key: i for i, key in enumerate(scores.key.tolist())}
    groups: dict[str, list[Row]] = {}
    for example in record.examples:
        i = row.get(example.key)
        if i is None:  # the example is from another evaluation and has no score
            continue
        shown = {
            "key": example.key,
            "kind": str(scores.attack_type[i]),
            "score": f"{scores.score[i]:.3f}",
            "image": base64.b64encode(example.image).decode(),
        }
        groups.setdefault(example.group, []).append(shown)
    return dict(sorted(groups.items(), key=lambda item: "worst" not in item[0]))  # mistakes first


def _throughput(metric_rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the median of images per second, or None if no step recorded it."""
    import numpy as np

    rates = [row["images_per_second"] for row in metric_rows if row.get("images_per_second")]
    return float(np.median(rates)) if rates else None


def _waited(metric_rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the share of training time that was spent waiting for data, or None if no step recorded it."""
    rows = [row for row in metric_rows if "data_seconds" in row]
    whole = sum(row["seconds"] for row in rows)
    return sum(row["data_seconds"] for row in rows) / whole if whole else None
