"""Build the module that scores face crops from their pixels, and convert it to one ONNX file.

    uint8 crops B×H×W×3 → (patches) → RGB and HSV → F → M → sigmoid → (mean over patches) → B scores

A learning rule may score in another way than by M and the sigmoid (`Objective.score`).

A model for whole faces takes crops of exactly its size. A model for patches takes square crops of any side from
that of a patch on, because faces keep the pixels of the picture and therefore have different sizes.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rfmeta_dist.data.shards.decode import MAX_SIDE
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.models.preprocess import channels

if TYPE_CHECKING:
    import onnx

    from rfmeta_dist.core.patches import Patches
    from rfmeta_dist.models.networks import Networks

INPUT, OUTPUT = "image", "score"
_TRACED = 2  # crops in the example batch; a batch of 1 would be taken for a fixed size
_BEYOND = 16  # by how many pixels the example crop is larger than a patch, so that its places differ


class PixelScorer(nn.Module):
    """Scores crops from their pixels. Its values are those of `GradientDetector.score` up to rounding.

    Args:
        nets: networks with final running statistics.
        side: side in pixels of the square that the networks see: a whole crop, or a patch.
        patches: how patches are cut out and their scores combined; None if the networks see whole crops.
        rule: the learning rule, which says how faces are scored.
    """

    def __init__(
        self, nets: Networks, side: int, patches: Patches | None, rule: type[Objective] = Objective
    ) -> None:
        super().__init__()
        self.rule = rule
        self.nets = nets
        self.side = side
        self.patches = patches

    def forward(self, image: Tensor) -> Tensor:
        """Convert B×H×W×3 uint8 RGB to B float32 scores in [0, 1], the probability that a face is live."""
        if self.patches is None:
            return self.score(image).float()
        return self._pooled(image, self.patches).float()

    def score(self, image: Tensor) -> Tensor:
        """Convert B×S×S×3 uint8 RGB to B float64 scores."""
        return self.rule.score(self.nets, self.channels(image))

    def channels(self, image: Tensor) -> Tensor:
        """Convert B×S×S×3 uint8 RGB to the networks' input, B×6×S×S."""
        return channels(image)

    def _pooled(self, image: Tensor, patches: Patches) -> Tensor:
        """Return the mean score of the distinct patches of each crop, in float64.

        All crops of a batch have the same size, so their patches lie at the same places. Places that are equal
        in a crop that is hardly larger than a patch count once, as in `Patches.scored`.
        """
        grid, side = patches.grid, self.side
        starts = _starts(image, side, patches)
        pixels = (starts[:, None] + torch.arange(side)).flatten()
        cut = image.index_select(1, pixels).index_select(2, pixels)
        cut = cut.reshape(-1, grid, side, grid, side, 3).permute(0, 1, 3, 2, 4, 5).reshape(-1, side, side, 3)
        scores = self.score(cut).reshape(-1, grid * grid)
        distinct = torch.cat([torch.ones(1, dtype=torch.bool), starts[1:] != starts[:-1]])
        counted = (distinct[:, None] & distinct[None, :]).flatten().double()
        # Added one after the other: the order of a reduction would depend on the size of the batch, and with it
        # the last bit of a score.
        total = scores[:, 0] * counted[0]
        for index in range(1, grid * grid):
            total = total + scores[:, index] * counted[index]
        return total / counted.sum()


def _starts(image: Tensor, side: int, patches: Patches) -> Tensor:
    """Return the first rows of the patches, as `Patches.scored` does, computed from the size of the crops."""
    crop = torch.scalar_tensor(image.shape[1], dtype=torch.int64)
    room = crop - side
    travel = torch.minimum(room, (crop.double() * patches.middle).long())
    low, last = (room - travel) // 2, patches.grid - 1
    if not last:
        return (low + travel // 2).reshape(1)
    return low + (2 * torch.arange(patches.grid) * travel + last) // (2 * last)


def to_onnx(scorer: PixelScorer) -> bytes:
    """Convert a scorer to an ONNX model with the input `image` and the output `score`; any batch size.

    The same scorer gives the same bytes. Nothing about this machine, such as paths, is left in the model.
    """
    import onnx

    side = scorer.side
    whole = scorer.patches is None
    example = torch.zeros(_TRACED, *(2 * [side if whole else side + _BEYOND]), 3, dtype=torch.uint8)
    free: dict[int, object] = {0: torch.export.Dim("batch")}
    if not whole:
        edge = torch.export.Dim("side", min=side, max=MAX_SIDE)
        free |= {1: edge, 2: edge}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            scorer.eval(),
            (example,),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: free},
        )
    assert program is not None  # None only of the older exporter
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        with _quiet():
            program.save(str(path))
        model = onnx.load(str(path))
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def opset_of(model: bytes) -> int:
    """Return the version of ONNX's operators that a model uses."""
    import onnx

    return int(next(i.version for i in onnx.load_model_from_string(model).opset_import if not i.domain))


def _strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes about the code, because it holds paths of this machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    del model.metadata_props[:]
    model.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and warnings about its own code off the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
