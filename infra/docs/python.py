"""Write the reference of the Python interface from signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

WIDTH = 88  # of a line of code on the page, in characters

HEAD = """# Python

This page is generated from the program. It lists what other programs may use; all else may change in any
version. Errors are subclasses of `RfmetaError` ([exit codes](exit-codes.md)).

Score faces with a finished model:

```python
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import open_store

package = load_model(open_store("runs/demo/model"))
scores = package.detector.score(faces)  # faces: B×S×S×3, RGB, uint8, with S = package.view.image_size
live = scores >= package.thresholds["frame"].value
```

A face has to be cut out as in training: `package.view.crop` has the rule, and `rfmeta_dist.ingest` the code. A
deployed model does this itself, without PyTorch, and [refuses](../how-to/score.md) pictures that are not fit:

```python
from rfmeta_dist.deploy.scorer import Scorer

scorer = Scorer("deployed/")
print(scorer.score(open("photo.jpg", "rb").read()).verdict)  # live, attack or refused
```

Train and judge a run from a program:

```python
from pathlib import Path

from rfmeta_dist.cluster.judging import evaluate_here
from rfmeta_dist.cluster.session import session
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.config.load import load_config

config = load_config(Path("mine.yaml"), ["training.seed=1", "run.name=mine-1"])
with session() as local:
    folder = train_run(config, on_news=print, local=local)
figures = evaluate_here(config, folder)["figures"]
print(figures["video"]["HTER"])
```

Call it in a script under `if __name__ == "__main__":`, because Ray starts other processes.
"""
NAMES = {
    "Configuration and storage": ("config.load:load_config", "storage.store:open_store"),
    "Data": (
        "data.shards.manifest:Manifest.open",
        "data.reading.stream:scan",
        "data.reading.webdataset:as_webdataset",
    ),
    "Runs": (
        "cluster.session:session",
        "cluster.train:train_run",
        "cluster.train:evaluate_run",
        "cluster.judging:evaluate_here",
        "runs.folder:read_config",
    ),
    "Models": ("recipes.load:load_model", "detectors.package:Package", "detectors.api:Detector.score"),
    "Deployed models": (
        "deploy.scorer:Scorer",
        "deploy.scorer:Scorer.score",
        "deploy.scorer:Scorer.score_many",
        "deploy.scorer:Scorer.score_video",
        "deploy.results:Scored",
        "deploy.results:Refused",
        "deploy.results:VideoResult",
    ),
    "Judging and reports": (
        "evaluation.scores:Scores",
        "evaluation.figures:compute",
        "evaluation.operating:choose",
        "evaluation.operating:unresolved",
        "report.records:read_record",
        "report.page:render",
    ),
}


def page() -> str:
    """Return the whole page in Markdown: each public function with its signature and docstring."""
    parts = [HEAD]
    for title, names in NAMES.items():
        parts += [f"## {title}\n", *map(_entry, names)]
    return "\n".join(parts)


class _Bare:
    """A part of a signature that is shown as it stands in the code: an annotation, or a function."""

    def __init__(self, text: object) -> None:
        self.text = str(text)

    def __repr__(self) -> str:
        return self.text


def _entry(name: str) -> str:
    module, _, path = f"rfmeta_dist.{name}".partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    code = f"from {module} import {path.split('.')[0]}\n\n{_signature(path, inspect.signature(found))}"
    return f"### {path}\n\n```python\n{code}\n```\n\n```text\n{inspect.getdoc(found)}\n```\n"


def _shown(argument: inspect.Parameter) -> inspect.Parameter:
    default = _Bare(argument.default.__name__) if inspect.isfunction(argument.default) else argument.default
    kind = argument.annotation
    return argument.replace(default=default, annotation=kind if kind is argument.empty else _Bare(kind))


def _signature(path: str, signature: inspect.Signature) -> str:
    """Return a signature as it stands in code, with a line for each argument if it is long."""
    arguments = [_shown(p) for p in signature.parameters.values()]
    result = signature.return_annotation
    plain = inspect.Signature(arguments, return_annotation=_Bare(result))
    if len(f"{path}{plain}") <= WIDTH:
        return f"{path}{plain}"
    first = next((p.name for p in arguments if p.kind is p.KEYWORD_ONLY), None)
    lines = [line for p in arguments for line in (["    *,"] * (p.name == first) + [f"    {p},"])]
    return "\n".join([f"{path}(", *lines, f") -> {plain.return_annotation}"])
