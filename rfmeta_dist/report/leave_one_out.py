"""Make the page of a leave-one-out: the table of its runs, their ROC curves, and what papers reported."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist import __version__
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.report import plots, published, table
from rfmeta_dist.report.page import environment
from rfmeta_dist.report.words import split_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.report.table import Missing


@dataclass(frozen=True)
class Judged:
    """A run that was judged.

    Attributes:
        evaluation: the content of evaluation.json.
        videos: the target's scores, one row for each video; None if they cannot be read.
    """

    evaluation: Mapping[str, Any]
    videos: Scores | None


def of_target(scores: Scores, target: str) -> Scores:
    """Return the target's rows of a run's scores.parquet, one for each video."""
    return scores.select(scores.domain == target).per_video()


def page(judged: Sequence[Judged], missing: Sequence[Missing] = (), notes: Sequence[str] = ()) -> str:
    """Return a self-contained HTML page with the runs, and the figures of papers for real data sets.

    Args:
        judged: the runs that were judged, at least one.
        missing: the runs that were asked for and have no evaluation.
        notes: sentences about all runs.
    """
    rows = table.rows([run.evaluation for run in judged], missing=missing)
    return (
        environment()
        .get_template("leave_one_out.html.jinja")
        .render(
            version=__version__,
            traces=[trace_id()],
            columns=table.COLUMNS,
            caption=table.CAPTION,
            rows=[astuple(row) for row in rows],
            missing=missing,
            notes=notes,
            all=len(judged) + len(missing),
            panels=_panels(judged),
            within=all("/" in run.evaluation["target"] for run in judged),
            undrawn=[_name(run.evaluation) for run in judged if run.videos is None],
            several=_several(judged),
            bands=len({run.evaluation["method"] for run in judged}) <= plots.BANDS,
            published=published,
        )
    )


def _panels(judged: Sequence[Judged]) -> list[dict[str, str]]:
    """Return a panel for each `split`: its plot as `svg`, and as `words` a text that says the same."""
    methods = list(dict.fromkeys(run.evaluation["method"] for run in judged))
    splits: dict[str, dict[str, list[plots.Judgement]]] = {}
    for run in judged:
        if run.videos is None:
            continue
        found = run.evaluation
        of_split = splits.setdefault(split_name(found["sources"], found["target"]), {})
        of_split.setdefault(found["method"], []).append((run.videos, found["figures"]["video"]))
    panels = []
    for number, (split, by_method) in enumerate(splits.items()):
        ordered = {method: by_method[method] for method in methods if method in by_method}
        styles = {method: plots.style(methods.index(method)) for method in ordered}
        areas = "; ".join(f"{method}: {plots.area(runs)}" for method, runs in ordered.items())
        panels.append(
            {
                "split": split,
                "svg": plots.target_roc(ordered, styles, f"roc-{number}"),
                "words": f"ROC of {split}, per video: live accepted against attacks accepted. {areas}",
            }
        )
    return panels


def _name(found: Mapping[str, Any]) -> str:
    return f"{split_name(found['sources'], found['target'])}, {found['method']}, seed {found['seed']}"


def _several(judged: Sequence[Judged]) -> bool:
    """Return True if a curve is the mean over several seeds."""
    drawn = [(r.evaluation["target"], r.evaluation["method"]) for r in judged if r.videos is not None]
    return len(drawn) > len(set(drawn))
