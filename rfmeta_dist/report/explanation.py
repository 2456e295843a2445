"""Make the page that shows why a judged run decides as it does, and the file with the numbers of the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from rfmeta_dist import __version__
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.chosen import RECORDINGS
from rfmeta_dist.evaluation.face_maps import peculiar
from rfmeta_dist.report import feature_plots, overlays
from rfmeta_dist.report.page import environment
from rfmeta_dist.report.words import split_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.explain import Explanation, Kind, Opinion, Picture, Side
    from rfmeta_dist.evaluation.projection import Flat

    Row = dict[str, Any]

PAGE, NUMBERS = "explanation.html", "explanation.json"
_DECIMALS = 4  # of the numbers in the file
_SEEN = 188  # pixels: side of the square of which a place of the paper's networks has seen something


class Scale(NamedTuple):
    """How the maps of a run are coloured.

    Attributes:
        evidence: the evidence that gets the full colour.
        own: likewise, of what is peculiar to a face.
        pattern: what is common to the maps of all faces.
    """

    evidence: float
    own: float
    pattern: NDArray[np.float64]


def render(found: Explanation) -> str:
    """Return the page of an explanation as HTML: the worst mistakes of each type, mean maps, and features."""
    run = found.sides[0]
    places = _places(found)
    scales = _scales(found)
    mapped = places > 1 or run.model.view.patches is not None
    return (
        environment()
        .get_template("explanation.html.jinja")
        .render(
            version=__version__,
            traces=[trace_id()],
            target=found.target,
            split=split_name(found.sources, found.target),
            sides=[_side(found, i, scales[i]) for i in range(len(found.sides))],
            kinds=[_kind(found, kind, scales if mapped else []) for kind in found.kinds],
            mapped=mapped,
            places=places,
            seen=_seen(run),
            recordings=RECORDINGS,
            averaged=sum(kind.averaged for kind in found.kinds),
            **_features(found),
        )
    )


def numbers(found: Explanation) -> bytes:
    """Return the numbers that the page shows as JSON: docs/reference/run-folder.md lists the fields."""
    points = found.points
    rows = [
        {"key": key, "domain": domain, "type": kind, "decision": decision, "principal": principal}
        for key, domain, kind, decision, principal in zip(
            points.scores.key.tolist(),
            points.scores.domain.tolist(),
            points.scores.attack_type.tolist(),
            _listed(points.decision.points),
            _listed(points.principal.points),
            strict=True,
        )
    ]
    content = {
        "target": found.target,
        "runs": [
            {
                "name": side.name,
                "run": side.folder.url,
                "variance_shares": found.parts[number].shares,
                "pattern": _listed(found.parts[number].pattern),
                "thresholds": {unit: t.value for unit, t in side.model.thresholds.items()},
            }
            for number, side in enumerate(found.sides)
        ],
        "types": [
            {
                "type": kind.name,
                "recordings": kind.recordings,
                "wrong": list(kind.wrong),
                "averaged": kind.averaged,
                "evidence": [_listed(values) for values in kind.evidence],
            }
            for kind in found.kinds
        ],
        "frames": [_frame(picture) for picture in found.pictures],
        "features": {
            "channels": points.channels,
            "decision_shares": points.decision.shares,
            "principal_shares": points.principal.shares,
            "between_domains": points.between_domains,
            "between_classes": points.between_classes,
            "points": rows,
        },
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _frame(picture: Picture) -> Row:
    key, kind, group = picture.chosen
    label = picture.opinions[0].look.depth_label
    about = {"key": key, "type": kind, "group": group, "depth_label": _listed(label)}
    return about | {
        "runs": [
            {
                "score": one.score,
                "accepted": one.accepted,
                "video_score": one.video_score,
                "video_accepted": one.video_accepted,
                "logit_over_threshold": round(one.look.over, _DECIMALS),
                "evidence": _listed(one.look.evidence),
                "depth": None if one.look.depth is None else _listed(one.look.depth),
            }
            for one in picture.opinions
        ]
    }


def _listed(values: NDArray[np.float64]) -> Any:
    """Return an array as nested lists, rounded; None stands for NaN, which JSON lacks."""
    import numpy as np

    rounded = (np.round(values, _DECIMALS) + 0.0).astype(object)
    rounded[np.isnan(values)] = None
    return rounded.tolist()


def _places(found: Explanation) -> int:
    """Return the number of places per side of the class activation map of a face, or of a patch."""
    return found.pictures[0].opinions[0].look.places


def _scales(found: Explanation) -> list[Scale]:
    """Return for each run the evidence that gets the full colour, over all faces that are shown."""
    scales = []
    for i, of_run in enumerate(found.parts):
        maps = [picture.opinions[i].look.evidence for picture in found.pictures]
        own = (peculiar(values, of_run.pattern) for values in maps)
        scales.append(Scale(overlays.scale(maps), overlays.scale(own), of_run.pattern))
    return scales


def _maps(
    names: Sequence[str],
    face: NDArray[np.uint8],
    evidence: Sequence[NDArray[np.float64]],
    scales: Sequence[Scale],
) -> list[tuple[str, str, str]]:
    """Return name, map and what is peculiar to the face, for each run; none if there are no scales."""
    return [
        (
            name,
            overlays.evidence(face, values, scale.evidence),
            overlays.evidence(face, peculiar(values, scale.pattern), scale.own),
        )
        for name, values, scale in zip(names, evidence, scales, strict=False)
    ]


def _seen(run: Side) -> str:
    """Return what a place of the map has seen of the picture, in words."""
    backbone, side = run.config.model.backbone, run.model.view.image_size
    if backbone != "paper" or side <= _SEEN:
        return f"the whole {'patch' if run.model.view.patches else 'face'}"
    return f"a square of up to {_SEEN} of the {side} pixels"


def _side(found: Explanation, number: int, scale: Scale) -> Row:
    side = found.sides[number]
    return {
        "name": side.name,
        "method": side.config.method.name,
        "sources": ", ".join(side.config.data.sources),
        "view": side.model.view.words,
        "patches": side.model.view.patches is not None,
        "threshold": side.model.thresholds["frame"].value,
        "full": scale.evidence,
        "own": scale.own,
        "shares": found.parts[number].shares,
        "depth": side.predicts_depth,
    }


def _kind(found: Explanation, kind: Kind, scales: Sequence[Scale]) -> Row:
    names = [side.name for side in found.sides]
    shown = [picture for picture in found.pictures if picture.chosen.kind == kind.name]
    return {
        "name": kind.name,
        "live": kind.name == LIVE,
        "recordings": kind.recordings,
        "wrong": list(zip(names, kind.wrong, strict=True)),
        "averaged": kind.averaged,
        "face": overlays.face(kind.face),
        "maps": _maps(names, kind.face, kind.evidence, scales),
        "frames": [_row(found, picture, scales) for picture in shown],
    }


def _row(found: Explanation, picture: Picture, scales: Sequence[Scale]) -> Row:
    live, names = picture.chosen.kind == LIVE, [side.name for side in found.sides]
    run, first = found.sides[0], picture.opinions[0].look
    return {
        "key": picture.chosen.key,
        "group": picture.chosen.group,
        "face": overlays.face(picture.face),
        "maps": _maps(names, picture.face, [o.look.evidence for o in picture.opinions], scales),
        "depth": overlays.depth(first.depth) if first.depth is not None and run.predicts_depth else None,
        "mean_depth": 0.0 if first.depth is None else _mean(first.depth),
        "depth_label": overlays.depth(first.depth_label),
        "mean_label": _mean(first.depth_label),
        "verdicts": [_verdict(n, o, live=live) for n, o in zip(names, picture.opinions, strict=True)],
    }


def _mean(values: NDArray[np.float64]) -> float:
    import numpy as np

    return float(np.nanmean(values))


def _verdict(name: str, opinion: Opinion, *, live: bool) -> Row:
    return {
        "name": name,
        "score": opinion.score,
        "accepted": opinion.accepted,
        "right": opinion.accepted == live,
        "over": opinion.look.over,
        "video_score": opinion.video_score,
        "video_accepted": opinion.video_accepted,
    }


def _features(found: Explanation) -> Row:
    points, target = found.points, found.target
    axes = "logit − logit of the threshold", "varies apart from the score"
    decision = feature_plots.panels(points.scores, points.decision.points, axes, "decision", threshold=True)
    principal = feature_plots.panels(
        points.scores, points.principal.points, ("component 1", "component 2"), "principal", threshold=False
    )

    def titled(plots: dict[str, str]) -> list[tuple[str, str]]:
        return [
            (f"{name}, the target" if name == target else f"{name}, a source", svg)
            for name, svg in plots.items()
        ]

    return {
        "decision": titled(decision),
        "principal": titled(principal),
        "decision_shares": _shares(points.decision),
        "principal_shares": _shares(points.principal),
        "channels": points.channels,
        "between_domains": points.between_domains,
        "between_classes": points.between_classes,
        "summarised": len(points.scores),
    }


def _shares(flat: Flat) -> Row:
    first, second = flat.shares
    return {"first": first, "second": second, "both": first + second, "rest": max(0.0, 1 - first - second)}
