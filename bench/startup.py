"""How long commands take to start: the command line, a training by phase, and the ingest of 72 pictures.

    python -m bench.startup                  all of it, on idle cores
    python -m bench.startup --only answers   the command line alone

Every figure is a median over rounds, in seconds and as a multiple of an empty interpreter and of a bare
`ray.init` in the same run. The ingest is left out where the face models are not installed
(rfmeta faces install).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.result import give

EMPTY, BARE = "python -c pass", "ray.init"
FIRST_STEP = "train: all to the first step"
CORES = "train: all to the first step, in seconds of one core"  # other work on the machine changes it less
CLI = "import sys; sys.argv[1:] = {arguments!r}; from rfmeta_dist.cli import main; main()"
INIT = "import ray; ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=40)"
ANSWERS = {
    EMPTY: "pass",
    "import rfmeta_dist.cli.app": "import rfmeta_dist.cli.app",
    "rfmeta --help": CLI.format(arguments=["--help"]),
}
PEOPLE, PICTURES = 6, 12  # of each person; half of them are called attacks
SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"sources": ["O", "C", "I"], "target": "M", "image_size": 64, "batch": 4},
    "model": {"width": 0.125},
    "training": {"steps": 3, "workers": 2, "checkpoint_every": 3},
}


def main() -> None:
    """Time every case in turn, several rounds, and print the medians."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.startup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=("answers", "train", "ingest"))
    parser.add_argument("--rounds", type=int, default=3, help="of trainings and ingests (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="rf-startup-") as place:
        for _ in range(options.rounds if options.only != "answers" else 7):
            _round(seconds, Path(place), options.only)
    medians = {name: median(values) for name, values in seconds.items()}
    empty, bare = medians[EMPTY], medians.get(BARE)
    found: dict[str, Any] = {}
    for name, value in medians.items():
        found[name] = {"seconds": round(value, 2), "times an empty interpreter": round(value / empty, 1)}
        if bare:
            found[name]["times ray.init"] = round(value / bare, 2)
    give(found, options.out)


def _round(seconds: dict[str, list[float]], place: Path, only: str | None) -> None:
    for name, code in ANSWERS.items():
        _add(seconds, {name: _timed(["-c", code])})
    if only != "answers":
        _add(seconds, {BARE: _timed(["-c", INIT])})
    if only in (None, "train"):
        _add(seconds, _training(place))
    if only in (None, "ingest") and (figures := _ingest(place)):
        _add(seconds, figures)


def _training(place: Path) -> dict[str, float]:
    """Return the seconds of each phase of a small training and of judging it, in processes of their own."""
    data = place / "data"
    if not data.exists():
        _timed(["-c", CLI.format(arguments=["synth", "--scale", "tiny", "--out", str(data), "--json"])])
    name = f"run-{time.monotonic_ns()}"
    run = {"name": name, "folder": str(place / "runs")}
    tree = {**SETTINGS, "run": run, "data": {**SETTINGS["data"], "prefix": str(data)}}
    code = f"from bench.startup import phases; phases({tree!r})"
    started = time.perf_counter()
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    total = time.perf_counter() - started
    judging = _timed(["-c", CLI.format(arguments=["evaluate", f"{place}/runs/{name}", "--json"])])
    return {**found, "train: whole command": total, "rfmeta evaluate": judging}


def phases(tree: Mapping[str, Any]) -> None:
    """Train once as `rfmeta train` does, and print the seconds of each phase as JSON.

    Args:
        tree: the configuration, as a YAML file holds it.
    """
    clock = [time.perf_counter()]
    from rfmeta_dist.cluster.prepare import look
    from rfmeta_dist.config.load import check

    config = check(tree, "of the benchmark")
    look(config)
    clock.append(time.perf_counter())
    from rfmeta_dist.cluster.session import session

    with session(2, torch=True) as local:
        clock.append(time.perf_counter())
        from rfmeta_dist.cluster.train import train_run

        rows: list[tuple[float, float]] = []
        train_run(config, lambda _: rows.append((time.perf_counter(), _core_seconds())), local=local)
        clock += [rows[0][0], time.perf_counter()]
    clock.append(time.perf_counter())
    names = ("checks", "Ray and torch", "workers, certificate, first step", "to the model", "end of Ray")
    parts = (end - start for start, end in pairwise(clock))
    found = {f"train: {name}": part for name, part in zip(names, parts, strict=True)}
    found[FIRST_STEP] = clock[3] - clock[0]
    found[CORES] = rows[0][1]
    print(json.dumps(found))


def _core_seconds() -> float:
    """Return the seconds that cores have worked for this process and all processes below it that are alive."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def _ingest(place: Path) -> dict[str, float] | None:
    """Return the seconds that the ingest of a folder of pictures takes; None without face models."""
    from rfmeta_dist.core.errors import RfmetaError
    from rfmeta_dist.ingest import models

    try:
        models.read_models()
    except RfmetaError:
        return None
    folder = place / "pictures"
    if not folder.exists():
        _write_pictures(folder)
    out = place / f"shards-{time.monotonic_ns()}"
    arguments = ["ingest", "folder", str(folder), "--domain", "P", "--out", str(out), "--size", "64", "--json"]
    return {f"rfmeta ingest, {PEOPLE * PICTURES} pictures": _timed(["-c", CLI.format(arguments=arguments)])}


def _write_pictures(folder: Path) -> None:
    """Write pictures of rooms with a generated face in each, and their table."""
    import cv2
    import numpy as np

    from rfmeta_dist.data.shards.decode import decode_image
    from rfmeta_dist.synth.domains.scale import Scale
    from rfmeta_dist.synth.output.generate import plan, render

    side = 192
    scale = Scale("startup", side, {"*": {"train": PEOPLE - 2, "validation": 1, "test": 1}}, 1, PICTURES)
    folder.mkdir()
    table = ["path,label,attack_type,subject,video"]
    for video in plan("O", scale, 0, None, 0.0):
        if video.attack_type != "live":
            continue
        for number, sample in enumerate(render(video)):
            room = np.full((360, 480, 3), 110, np.uint8)
            room[80 : 80 + side, 140 : 140 + side] = decode_image(sample.image, "jpg", (side, side))
            path = f"{video.subject}-{number:02d}.jpg"
            cv2.imwrite(str(folder / path), room[..., ::-1])
            kind = "live," if number % 2 else "attack,print"
            table.append(f"{path},{kind},{video.subject},{video.subject}-{number}")
    (folder / "labels.csv").write_text("\n".join(table) + "\n")


def _timed(arguments: Sequence[str]) -> float:
    """Run this interpreter with arguments; return the seconds until it ended."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def _add(seconds: dict[str, list[float]], found: Mapping[str, float]) -> None:
    for name, value in found.items():
        seconds.setdefault(name, []).append(value)


if __name__ == "__main__":
    main()
