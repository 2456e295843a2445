"""Write a deployment package with a model whose scores a test can compute: the brightness of the crop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rfmeta_dist.deploy.package import MODEL, write
from rfmeta_dist.ingest.crop import CropRule
from rfmeta_dist.ingest.extract import contract
from rfmeta_dist.ingest.models import SHA256
from rfmeta_dist.ingest.video import Every
from rfmeta_dist.storage.store import open_store

SIDE = 64
THRESHOLDS = {"frame": 0.25, "video": 0.2}
POINTS = {"frame": 0.9, "video": 0.95}
RULE = CropRule(128)
_DATA = "validation splits of A, B"


def brightness_model(side: int | str = SIDE, gain: float = 1.0) -> bytes:
    """Return an ONNX model: score = gain · mean of all pixels / 255, in [0, 1] for a gain of up to 1.

    It takes crops of any side if `side` is a name.
    """
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", side, side, 3])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])
    factor = helper.make_tensor("factor", TensorProto.FLOAT, [], [gain / 255])
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "factor"], ["score"]),
    ]
    graph = helper.make_graph(nodes, "brightness", [image], [score], [factor, axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def expected(crop: NDArray[np.uint8]) -> float:
    """Return the score of a crop, computed without ONNX."""
    return float(crop.astype(np.float64).mean() / 255)


def write_package(
    folder: Path, rule: CropRule | None = RULE, side: int = SIDE, gain: float = 1.0, **fields: Any
) -> Path:
    """Write a package. A rule of None is that of a model that was trained on generated faces alone."""
    threshold = {
        unit: {"value": value, "unit": unit, "source": f"equal error rate on {_DATA}", "eer": 0.1}
        for unit, value in THRESHOLDS.items()
    }
    point = {
        unit: {
            "bpcer@apcer1": {
                "value": value,
                "origin": {"data": _DATA, "unit": unit},
                "reached": {},
                "unresolved": "",
            }
        }
        for unit, value in POINTS.items()
    }
    about = {
        "kind": "onnx",
        "name": "small",
        "precision": "fp32",
        "parent": "0" * 64,
        "input": {
            "size": [side, side],
            "smallest": side,
            "resize": "area",
            "color": "RGB",
            "dtype": "uint8",
            "crop": contract(Every(1), rule)["crop"] if rule else None,
            "detector": dict(SHA256),
        },
        "thresholds": threshold,
        "operating_points": point,
        **fields,
    }
    any_side = "side" if about["input"]["size"] is None else side
    files = {MODEL: brightness_model(any_side, gain), "card.md": b"# small\n", "card.json": b"{}"}
    write(open_store(str(folder)), files, about)
    return folder
