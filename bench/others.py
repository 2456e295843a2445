"""Judge two models that were not trained here, and compare the figures with scikit-learn's and bob.measure's.

    python -m bench.others [--data shards/demo] [--folder FOLDER] [--bob PYTHON] [--out FILE]

The models are features of single crops with classifiers of scikit-learn:

    texture   histograms of local binary patterns, logistic regression; trained on O, C and I, judged on M,
              which it has not seen; written as CSV
    colour    histograms of hue, saturation and brightness, gradient boosting; trained, validated and judged on
              other people of one domain, O; written in bob's four columns

`rfmeta judge` reads the two files. The same quantities are then computed from the same files by scikit-learn,
and by bob.measure if `--bob` gives a Python of an environment that has it (pip install bob.measure).
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.result import give
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.evaluation import given, given_figures
from rfmeta_dist.evaluation.given_rows import Reading
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.storage.store import open_store

Array = NDArray[np.float64]
Side = dict[str, Any]  # validation or test rows: `kind` (live or the attack type) and `score`
Feature = Callable[[NDArray[np.uint8]], Array]
SIDE = 64
AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # the neighbours of a pixel
BOB = """
import json, sys
import numpy as np
from bob.measure import eer_threshold, far_threshold, farfrr, frr_threshold, min_hter_threshold
given = json.load(sys.stdin)
sides = {side: {kind: np.array(one, float) for kind, one in each.items()} for side, each in given.items()}
def split(side):
    return np.concatenate([s for kind, s in sides[side].items() if kind != "live"]), sides[side]["live"]
negatives, positives = split("validation")
types = [one for kind, one in sides["validation"].items() if kind != "live"]
points = {
    "eer": eer_threshold(negatives, positives),
    "min-hter": min_hter_threshold(negatives, positives),
    # as bob.pad.base's apcer_threshold and calc_threshold
    "bpcer@apcer10": max(far_threshold(one, positives, 0.10) for one in types),
    "bpcer@apcer5": max(far_threshold(one, positives, 0.05) for one in types),
    "apcer@bpcer5": frr_threshold(negatives, positives, 0.05),
}
print(json.dumps({name: {"threshold": float(at), "validation": farfrr(negatives, positives, at),
                         "test": farfrr(*split("test"), at)} for name, at in points.items()}))
"""


def texture(picture: NDArray[np.uint8]) -> Array:
    """Return histograms of local binary patterns at two scales: each pixel and its eight neighbours."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    parts = []
    for image in (grey, cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)):
        middle = image[1:-1, 1:-1]
        code = np.zeros(middle.shape, np.int64)
        for bit, (down, right) in enumerate(AROUND):
            shifted = image[1 + down : image.shape[0] - 1 + down, 1 + right : image.shape[1] - 1 + right]
            code |= (shifted >= middle).astype(np.int64) << bit
        parts.append(np.bincount(code.ravel(), minlength=256) / code.size)
    return np.sqrt(np.concatenate(parts))


def colour(picture: NDArray[np.uint8]) -> Array:
    """Return histograms of hue, saturation and brightness."""
    channels = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    tops = (180, 256, 256)
    return np.concatenate(
        [
            np.histogram(one, bins=24, range=(0, top))[0] / one.size
            for one, top in zip(channels, tops, strict=True)
        ]
    )


def described(data: str, domains: Sequence[str], split: Split | None, feature: Feature) -> tuple[Array, Scores]:
    """Return features and labels of all crops of a split. The scores are zero."""
    store, found, parts = open_store(data), [], []
    for domain in domains:
        manifest = Manifest.open(store, domain)
        keys: list[str] = []
        for batch in scan(store, manifest, split, image_size=SIDE, batch=64):
            found += [feature(picture) for picture in batch.image]
            keys += batch.keys
        import pyarrow as pa

        parts.append(Scores.of(manifest.samples, pa.chunked_array([pa.array(keys)]), np.zeros(len(keys))))
    joined = {name: np.concatenate([part.columns()[name] for part in parts]) for name in parts[0].columns()}
    return np.array(found), Scores(**joined)


def write_csv(path: Path, parts: Sequence[Scores]) -> None:
    """Write frame scores with every column of the schema."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["domain", "video", "key", "subject", "label", "attack_type", "split", "score"])
        for part in parts:
            label = np.where(part.label == 1, "live", "attack")
            columns = (part.domain, part.video, part.key, part.subject, label, part.attack_type, part.split)
            writer.writerows(zip(*columns, map(repr, part.score.tolist()), strict=True))


def write_bob(path: Path, videos: Scores) -> None:
    """Write bob's four columns: claimed_id real_id test_label score. For an attack, real_id is its type."""
    kinds = np.where(videos.label == 1, videos.subject, videos.attack_type)
    rows = zip(videos.subject, kinds, videos.video, videos.score.tolist(), strict=True)
    path.write_text("".join(f"{who} {real} {name} {score:.12f}\n" for who, real, name, score in rows))


def judged(table: Path, validation: Path | None, point: str, resamples: int) -> dict[str, Any]:
    """Return the figures per video of the files, as `rfmeta judge` computes them."""
    files = [table] if validation is None else [table, validation]
    read = [given.read(path.read_bytes(), path.name, Reading()) for path in files]
    return given_figures.compute(given.understand(*read), point, resamples=resamples)["video"]


def by_sklearn(validation: Side, test: Side, threshold: float) -> dict[str, float]:
    """Return scikit-learn's AUC and rates at a threshold, and the EER by common recipes with roc_curve."""
    live = {name: side["kind"] == "live" for name, side in (("validation", validation), ("test", test))}
    far, tpr, at = roc_curve(live["validation"], validation["score"])
    nearest = int(np.argmin(np.abs(far - (1 - tpr))))
    crossing = np.interp(0.0, far - (1 - tpr), far)  # where the line between two points meets FAR = FRR
    (rejected, accepted), (missed, kept) = confusion_matrix(live["test"], test["score"] >= threshold)
    return {
        "AUC": float(roc_auc_score(live["test"], test["score"])),
        "FAR": float(accepted / (rejected + accepted)),
        "BPCER": float(missed / (missed + kept)),
        "validation EER, nearest point": float((far[nearest] + 1 - tpr[nearest]) / 2),
        "validation EER, threshold of that point": float(at[nearest]),
        "validation EER, interpolated": float(crossing),
    }


def by_bob(python: str | None, validation: Side, test: Side) -> dict[str, Any] | None:
    """Return thresholds and [FAR, FRR] of bob.measure, or None without it."""
    if python is None:
        return None
    sides = {
        name: {kind: side["score"][side["kind"] == kind].tolist() for kind in np.unique(side["kind"]).tolist()}
        for name, side in (("validation", validation), ("test", test))
    }
    done = subprocess.run(
        [python, "-c", BOB], input=json.dumps(sides), check=True, capture_output=True, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def rows_of(path: Path) -> list[tuple[str, str, float]]:
    """Return split, attack type and score of each row, read here and not by what is compared."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [(row["split"], row["attack_type"], float(row["score"])) for row in csv.DictReader(file)]
    split = "validation" if path.name.endswith("dev") else "test"
    cells = [line.split() for line in path.read_text().splitlines()]
    return [(split, "live" if row[0] == row[1] else row[1], float(row[3])) for row in cells]


def compared(table: Path, apart: Path | None, python: str | None) -> dict[str, Any]:
    """Return our figures, scikit-learn's and bob's of one model's files."""
    rows = rows_of(table) + ([] if apart is None else rows_of(apart))
    sides: list[Side] = []
    for split in ("validation", "test"):
        own = [row for row in rows if row[0] == split]
        sides.append({"kind": np.array([row[1] for row in own]), "score": np.array([row[2] for row in own])})
    validation, test = sides
    bob = by_bob(python, validation, test)
    points = {}
    for name in ("eer", "min-hter", "bpcer@apcer10", "bpcer@apcer5", "apcer@bpcer5"):
        figures = judged(table, apart, name, 1)
        points[name] = {
            "threshold": figures["threshold"]["value"],
            "validation": [figures["validation"][rate] for rate in ("FAR", "BPCER")],
            "test": [figures[rate]["value"] for rate in ("FAR", "BPCER")],
        }
    figures = judged(table, apart, "eer", 1000)
    return {
        "counts": figures["counts"],
        "rfmeta": {
            name: figures[name]["value"] for name in ("AUC", "HTER", "FAR", "BPCER", "ACER", "oracle_EER")
        },
        "AUC interval": [figures["AUC"][end] for end in ("low", "high")],
        "HTER interval": [figures["HTER"][end] for end in ("low", "high")],
        "APCER": {kind: figure["value"] for kind, figure in figures["APCER"].items()},
        "scikit-learn": by_sklearn(validation, test, figures["threshold"]["value"]),
        "operating points of rfmeta": points,
        "operating points of bob.measure": bob,
    }


def texture_scores(data: str, out: Path) -> None:
    """Train the model of textures, and write its scores as CSV."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    sources = ["O", "C", "I"]
    x, train = described(data, sources, "train", texture)
    model.fit(x, train.label)
    parts = []
    for domains, split, name in ((sources, "validation", "validation"), (["M"], None, "test")):
        x, part = described(data, domains, split, texture)
        made = {"score": model.decision_function(x), "split": np.full(len(part), name, np.object_)}
        parts.append(Scores(**part.columns() | made))
    write_csv(out, parts)


def colour_scores(data: str, folder: Path) -> None:
    """Train the model of colours, and write its scores in bob's columns."""
    model = HistGradientBoostingClassifier(random_state=0)
    x, train = described(data, ["O"], "train", colour)
    model.fit(x, train.label)
    for split, name in (("test", "scores-eval"), ("validation", "scores-dev")):
        x, part = described(data, ["O"], split, colour)
        write_bob(folder / name, Scores(**part.columns() | {"score": model.predict_proba(x)[:, 1]}).per_video())


def main() -> None:
    """Train and write unless the folder has the scores already, then judge and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="shards/demo")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--bob")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    table, apart = folder / "texture.csv", folder / "scores-dev"
    if not table.exists():
        texture_scores(options.data, table)
    if not apart.exists():
        colour_scores(options.data, folder)
    result = {
        "texture, O&C&I→M, CSV": compared(table, None, options.bob),
        "colour, O, bob's columns": compared(folder / "scores-eval", apart, options.bob),
    }
    give(result, options.out)


if __name__ == "__main__":
    main()
