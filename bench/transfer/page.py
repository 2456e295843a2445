"""Write the page of the benchmark: what was measured, on what, and every figure with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.transfer.design import GIVEN, QUESTIONS, QUICK, Question, Settings

Figures = Mapping[str, Any]
SETS = {
    "resolved": "dots and pixels of at least 2 sensor pixels",
    "unresolved": "dots and pixels of at most 0.7 sensor pixels",
    "drawn": "instruments as they are drawn, most of them unresolved",
    "prints": "as drawn, of the attacks only the printed ones",
    "replays": "as drawn, of the attacks only those on screens",
    "few_pixels": "as drawn, but 56 to 112 sensor pixels across the face",
    "many_pixels": "as drawn, but 240 to 480 sensor pixels across the face",
}
NAMES = {
    "patches": "network, patches",
    "faces": "network, whole faces",
    "few": "network, patches, fewer domains",
    "rfmeta": "network, patches, `rfmeta`",
    "texture": "spectrum rings, patches",
    "texture_faces": "spectrum rings, whole faces",
    "texture_few": "spectrum rings, patches, fewer domains",
    "cooccurrence": "co-occurrences, patches",
    "cooccurrence_faces": "co-occurrences, whole faces",
    "cooccurrence_few": "co-occurrences, patches, fewer domains",
}
TITLES = {
    "patterns": "Resolved and unresolved patterns",
    "instruments": "Prints and replays",
    "cameras": "Cameras of few and of many pixels",
}
WIDEST = 6  # most columns of a table, besides the first
HEAD = """# Transfer: trained on some physics, judged on other

This measure needs no outside data. Networks and linear classifiers are trained on one kind of recapture and
judged on another kind, which they have not seen. Made by `python -m bench.transfer`. Give the command again to
resume it; `--quick` runs a small size, and `--report` writes this page alone.

{size}

All AUC are in percent, with 95 % intervals in brackets. An AUC is the mean over the judged domains of the AUC
in each, then over seeds. {interval}
The judged domains are fixed: another draw of domains would change the figures further. The generated
sets are judged on people who are not in any training set, with other cameras, rooms and light. No spurious cue
is injected in them (rho = 0).
"""
METHOD = """Their ends are the 2.5th and 97.5th percentiles of resamples; the
intervals of reports are made otherwise, and are somewhat wider ([why](explanation/honest-evaluation.md))."""
LEARNED = """## What was compared

| set | what is in it |
|---|---|
{sets}

The generated sets have the same people, rooms, light and moments, and each domain has one camera. Only the
instruments differ, or only the cameras. Crops are stored at {size}×{size}. *Whole faces* are crops shrunk to
64×64; *patches* are 64×64 of their own pixels, nine of a face, whose scores are averaged. Networks are of width
{width:g}, trained by the plain rule `no_meta` unless another is named. *Fewer domains* are {few} of the
{domains}, with as many steps. *Spectrum rings* are logistic regression on the `texture` cue of the leak probes,
*co-occurrences* logistic regression on how often each triple of neighbouring noise residuals occurs.
"""


def page(found: Figures) -> str:
    """Return the page of collected figures (see `results.collect`) as Markdown."""
    settings = found["settings"]
    trained = {row["trained"] for row in found["auc"]}
    words = (
        f"shards that were there already, `{found['given']}`; judged on their test people, in the same domains"
    )
    known = {**SETS, GIVEN: words}
    sets = "\n".join(f"| `{name}` | {words} |" for name, words in known.items() if name in trained)
    parts = [
        HEAD.format(size=_size(found), interval=_interval(found["seeds"])),
        LEARNED.format(sets=sets, **settings),
        *(_question(found, question, number) for number, question in enumerate(QUESTIONS, 1)),
        _sets(found, len(QUESTIONS) + 1),
        _arms(found, len(QUESTIONS) + 2),
    ]
    return "\n".join(parts)


def _size(found: Figures) -> str:
    """Describe the size of the benchmark run that made the figures."""
    s = found["settings"]
    known = {"the default size": Settings(), "`--quick`, too small to decide anything": Settings(**QUICK)}
    name = next((words for words, other in known.items() if asdict(other) == s), "a size of its own")
    people = s["judged"] * s["others"]
    text = (
        f"**Size of the run that these figures are of: {name}.** Trained on {s['domains']} domains with"
        f" {s['people']} people each, judged on {people} people in {s['judged']} other domains; of each person"
        f" a live recording, a print and a replay, one frame each. {s['steps']} steps of"
        f" {s['episode']} domains with {s['batch']} images. Seeds: {', '.join(map(str, found['seeds']))}."
        f" Generator `{found['generator']}`."
    )
    return f"{text} **{found['missing']} trainings are missing.**" if found["missing"] else text


def _interval(seeds: Sequence[int]) -> str:
    if len(seeds) > 1:
        return f"Intervals are over people and seeds. {METHOD}"
    return (
        "Intervals are over people alone: there is one seed, and another would move a network's figures too. "
        + METHOD
    )


def _question(found: Figures, question: Question, number: int) -> str:
    """Tabulate the AUC of one question: each row is a way to learn, each column a pair of sets."""
    trained = (*question.sides, *question.further, *((GIVEN,) if question.further else ()))
    rows = [row for row in found["auc"] if row["trained"] in trained and row["arm"] in question.arms]
    rows.sort(key=lambda row: (trained.index(row["trained"]), question.arms.index(row["arm"])))
    cells = {(NAMES[r["arm"]], f"{_plain(r['trained'])} → {_plain(r['judged'])}"): r for r in rows}
    return f"## {number}. {TITLES[question.name]}\n\n{_tables(cells, _value)}\n"


def _sets(found: Figures, number: int) -> str:
    """Tabulate the effect of training on one set instead of another: each row is a way to learn."""
    cells = {
        (NAMES[r["arm"]], f"{_plain(r['trained'])} less {_plain(r['less'])} → {_plain(r['judged'])}"): r
        for r in found["sets"]
    }
    words = "Points of AUC, paired by person and seed. Bold: the interval does not contain 0."
    title = f"## {number}. What the set that is trained on changes"
    return f"{title}\n\n{words} {_count(found['sets'])}\n\n{_tables(cells, _difference)}\n"


def _arms(found: Figures, number: int) -> str:
    """Tabulate what one way to learn gains over another, where the judged kind was left out of training."""
    rows = [row for row in found["arms"] if row["trained"] != row["judged"]]
    cells = {
        (f"{NAMES[r['arm']]} less {NAMES[r['less']]}", f"{_plain(r['trained'])} → {_plain(r['judged'])}"): r
        for r in rows
    }
    words = f"On the same recordings, in points of AUC. {_count(rows)}"
    title = f"## {number}. Ways to learn, where the judged kind was left out"
    return f"{title}\n\n{words}\n\n{_tables(cells, _difference)}\n"


def _tables(cells: Mapping[tuple[str, str], Figures], shown: Callable[[Figures], str]) -> str:
    """Return tables of figures by row and column, of at most `WIDEST` columns each."""
    columns = list(dict.fromkeys(column for _, column in cells))
    tables = []
    for first in range(0, len(columns), WIDEST):
        part = columns[first : first + WIDEST]
        lines = [["trained → judged", *part], ["---"] * (1 + len(part))]
        for name in dict.fromkeys(row for row, column in cells if column in part):
            found = [cells.get((name, column)) for column in part]
            lines.append([name, *("" if figures is None else shown(figures) for figures in found)])
        tables.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(tables)


def _count(rows: Sequence[Figures]) -> str:
    """Say how many intervals exclude 0, and how many would if there were no differences."""
    out, chance = sum(_stands_out(row) for row in rows), 0.05 * len(rows)
    return (
        f"Of {len(rows)} intervals, {out} do not contain 0; if there were no differences, about {chance:.0f} "
        "would not contain it."
    )


def _stands_out(row: Figures) -> bool:
    return not row["low"] <= 0 <= row["high"]


def _difference(row: Figures) -> str:
    value, low, high = (100 * row[name] for name in ("value", "low", "high"))
    text = f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"**{text}**" if _stands_out(row) else text


def _value(row: Figures) -> str:
    value, low, high = (100 * row[name] for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.0f}, {high:.0f}]"


def _plain(name: str) -> str:
    return name.replace("_", " ")
