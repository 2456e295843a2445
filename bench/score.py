"""What `rfmeta score` costs beside the bare calls that it cannot do without, and how large its installation is.

    python -m bench.score deployed/ photo.jpg
    python -m bench.score deployed/ photo.jpg --video clip.mp4 --out score.json

Give it the interpreter of a fresh environment with the base installation. The bare calls are one detection, one
mesh and one run of the model on a crop that is ready. Both are timed in turn, in seconds of one core, so that
other work on the machine changes their ratio little. The picture must show one upright face.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from bench.result import give

CLI = "import sys; sys.argv[1:] = {arguments!r}; from rfmeta_dist.cli import main; main()"
# What scores one picture and cannot be left out: no command line, no check of the package, no policy.
BARE = """
import cv2, numpy as np, onnxruntime
from rfmeta_dist.ingest.face import Faces
cv2.setNumThreads(1)
pixels = cv2.imread({picture!r})[..., ::-1]
faces = Faces()
(face,) = faces.detect(pixels)
faces.landmarks(pixels, face)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession({model!r}, options)
sides = (side if isinstance(side, int) else 256 for side in session.get_inputs()[0].shape[1:])
session.run(None, {{"image": np.zeros((1, *sides), np.uint8)}})
"""
FOR_COMMANDS = {"typer", "rich", "markdown-it-py", "mdurl", "pygments", "shellingham", "annotated-doc", "click"}
INSTALLERS = {"pip", "setuptools", "wheel"}


def main() -> None:
    """Time each case in turn and print the medians."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", help="folder of a deployment package")
    parser.add_argument("picture", help="a picture of one upright face")
    parser.add_argument("--video", type=Path, help="a video of one face; needs the extra video")
    parser.add_argument("--rounds", type=int, default=40, help="of each call (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    found = {"installation": installation(), "one picture from process start": starts(options)}
    found["a picture"] = calls(options)
    if options.video:
        found["a video"] = video(options)
    give(found, options.out)


def installation() -> dict[str, Any]:
    """Return the sizes of the installed packages in MiB, and whether the packages for training are there."""
    sizes = {}
    for package in metadata.distributions():
        files = (Path(str(package.locate_file(file))) for file in package.files or ())
        sizes[package.metadata["Name"].lower()] = sum(file.stat().st_size for file in files if file.is_file())
    kept = {name: size for name, size in sizes.items() if name not in INSTALLERS}
    whole, commands = sum(kept.values()), sum(kept[name] for name in FOR_COMMANDS & set(kept))
    heavy = ("torch", "ray", "av", "pyarrow", "sklearn", "scipy")
    return {
        "MiB": round(whole / 2**20, 1),
        "MiB without the command line's packages": round((whole - commands) / 2**20, 1),
        "packages": len(kept),
        "importable": [name for name in heavy if importlib.util.find_spec(name)],
    }


def starts(options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of one core that a whole process takes for one picture."""
    model = str(Path(options.package) / "model.onnx")
    cases = {
        "empty interpreter": "pass",
        "bare": BARE.format(picture=options.picture, model=model),
        "rfmeta score": CLI.format(arguments=["score", options.package, options.picture]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    walls = []
    for _ in range(7):
        for name, code in cases.items():
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds[name].append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
            if name == "rfmeta score":
                walls.append(time.perf_counter() - start)
    medians = {name: round(median(values), 3) for name, values in seconds.items()}
    ratio = medians["rfmeta score"] / medians["bare"]
    return {**medians, "ratio to bare": round(ratio, 2), "best seconds by the clock": round(min(walls), 2)}


def calls(options: argparse.Namespace) -> dict[str, float]:
    """Return the milliseconds of one core for a picture, by a scorer and by the bare calls."""
    import cv2
    import numpy as np

    from rfmeta_dist.deploy.network import Network
    from rfmeta_dist.deploy.package import MODEL
    from rfmeta_dist.deploy.results import Scored
    from rfmeta_dist.deploy.scorer import Scorer
    from rfmeta_dist.ingest.face import Faces
    from rfmeta_dist.ingest.video import Every, read_frames

    cv2.setNumThreads(1)
    scorer, faces = Scorer(options.package, upright=True), Faces()
    searching = Scorer(options.package)
    data = Path(options.picture).read_bytes()
    (frame,) = read_frames(data, Every(1))
    found, size = scorer.score(data), scorer.package.input["size"]
    if not isinstance(found, Scored):
        sys.exit(f"{options.picture} is refused: {found.words}")
    network = Network(scorer.package.files[MODEL], size and tuple(size), 1, options.package)
    crop = np.zeros((1, *(size or [256, 256]), 3), np.uint8)

    def bare() -> None:
        (face,) = faces.detect(frame.pixels)
        faces.landmarks(frame.pixels, face)
        network.scores(crop)

    cases: dict[str, Callable[[], Any]] = {
        "detection, mesh and model": bare,
        "score of an array": lambda: scorer.score(frame.pixels),
        "score of a file's bytes": lambda: scorer.score(data),
        "score of an array, way up searched if in doubt": lambda: searching.score(frame.pixels),
        "reading the bytes": lambda: list(read_frames(data, Every(1))),
        "model": lambda: network.scores(crop),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(options.rounds):
        for name, call in cases.items():
            start = time.thread_time()
            call()
            spent[name].append(time.thread_time() - start)
    taken = {name: round(median(values) * 1000, 2) for name, values in spent.items()}
    least = taken["detection, mesh and model"]
    return {
        **taken,
        "array, ratio to bare": round(taken["score of an array"] / least, 2),
        "bytes, ratio to bare and reading": round(
            taken["score of a file's bytes"] / (least + taken["reading the bytes"]), 2
        ),
    }


def video(options: argparse.Namespace) -> dict[str, float]:
    """Return how many faces of a video one core scores in a second, with decoding."""
    from rfmeta_dist.deploy.scorer import Scorer
    from rfmeta_dist.ingest.video import Every

    scorer = Scorer(options.package)
    rates = []
    for _ in range(3):
        start = time.process_time()
        found = scorer.score_video(options.video, Every(1))
        rates.append(len(found.frames) / (time.process_time() - start))
    return {"frames": len(found.frames), "faces a second of one core": round(median(rates), 1)}


if __name__ == "__main__":
    main()
