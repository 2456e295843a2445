"""Find new samples whose image is in the data twice, equal or encoded again, and what that contradicts.

Frames of one video are alike by nature, so only images of different videos are compared.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.retrain.alike import are_copies, hashed, near_pairs, small
from rfmeta_dist.retrain.arrivals import SHOWN, Finding, Severity, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Names
    from rfmeta_dist.retrain.alike import Hashes, Images, Pixels, Rows
    from rfmeta_dist.retrain.arrivals import Arrived

# What a pair of copies contradicts, the worst first, with what it means and what to do.
_MEANING: dict[str, tuple[Severity, str, str]] = {
    "label": (
        "refuse",
        "with the other label",
        "One of the two labels is wrong: correct it, and give the batch again",
    ),
    "test": (
        "refuse",
        "in the test split and in another one",
        "A model would be judged on what it was trained on: take these samples out of the batch",
    ),
    "split": ("warn", "in the training and in the validation split", "Take these samples out of the batch"),
    "same": (
        "warn",
        "with the same label and split",
        "They count twice: take them out, unless the same recording was meant to be given twice",
    ),
}


@dataclass(frozen=True)
class _All:
    """The N samples of all domains, as columns of equal length; `row` and `place` find them in `arrived`."""

    place: Rows
    row: Rows
    new: NDArray[np.bool_]
    label: NDArray[np.int64]
    video: Rows  # codes; videos of two domains differ
    image: Rows  # codes of the SHA-256 of the images
    split: Names
    key: Names
    domain: Names
    batch: Names


def copies(arrived: Sequence[Arrived], images: Images | None) -> list[Finding]:
    """Return findings of kind `duplicates`, one for each batch and each contradiction.

    Args:
        arrived: all domains.
        images: reads encoded images; None to find only images that are equal byte for byte.

    Raises:
        DataError: an image is damaged.
        StorageError: a shard cannot be read.
    """
    table = _table(arrived)
    found: dict[tuple[str, str, bool, str], list[tuple[int, int]]] = defaultdict(list)
    equal = set(_equal(table))
    pairs = [(pair, True) for pair in sorted(equal)]
    if images and table.new.any():
        pairs += [(pair, False) for pair in _encoded_again(arrived, table, images) if pair not in equal]
    for (one, other), same_bytes in pairs:
        group = (table.domain[one], table.batch[one], same_bytes, _relation(table, one, other))
        found[group].append((one, other))
    return [_finding(table, *group, pairs) for group, pairs in found.items()]


def _table(arrived: Sequence[Arrived]) -> _All:
    import numpy as np
    import pyarrow as pa

    sizes = [len(one.new) for one in arrived]
    columns: dict[str, Names] = {
        name: np.concatenate([one.column(of) for one in arrived] or [np.empty(0, np.object_)])
        for name, of in (("split", "split"), ("key", "key"), ("video", "video_id"), ("batch", "batch"))
    }
    place = np.repeat(np.arange(len(sizes)), sizes)
    domain = np.array([one.domain for one in arrived], np.object_)[place]
    of_video = {
        pair: code for code, pair in enumerate(dict.fromkeys(zip(domain, columns["video"], strict=True)))
    }
    video = np.array([of_video[pair] for pair in zip(domain, columns.pop("video"), strict=True)], np.int64)
    chunks = [chunk for one in arrived for chunk in one.manifest.samples["sha256_image"].chunks]
    image = pa.chunked_array(chunks, pa.binary(32)).combine_chunks().dictionary_encode().indices
    return _All(
        place=place,
        row=np.concatenate([np.arange(size) for size in sizes] or [np.empty(0, np.int64)]),
        new=np.concatenate([one.new for one in arrived] or [np.empty(0, bool)]),
        label=np.concatenate([one.manifest.samples["label"].to_numpy() for one in arrived] or [place]),
        video=video,
        image=image.to_numpy(zero_copy_only=False).astype(np.int64),
        domain=domain,
        **columns,
    )


def _equal(table: _All) -> Iterator[tuple[int, int]]:
    """Yield pairs of a new sample and another one with equal images, of different videos."""
    import numpy as np

    order = np.argsort(table.image, kind="stable")
    code = table.image[order]
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    for group in np.split(order, starts[1:]):
        if len(group) > 1 and table.new[group].any():
            members = group.tolist()
            yield from (
                (one, worst)
                for one in members
                if table.new[one] and (worst := _worst(table, one, members)) is not None
            )


def _worst(table: _All, one: int, members: list[int]) -> int | None:
    """Return the sample that contradicts one the most, of those that were not paired with it already."""
    others = [
        other
        for other in members
        if table.video[other] != table.video[one] and (other < one or not table.new[other])
    ]
    order = list(_MEANING)
    return min(others, key=lambda other: order.index(_relation(table, one, other)), default=None)


def _relation(table: _All, one: int, other: int) -> str:
    if table.label[one] != table.label[other]:
        return "label"
    splits = {table.split[one], table.split[other]}
    if len(splits) == 1:
        return "same"
    return "test" if "test" in splits else "split"


def _encoded_again(arrived: Sequence[Arrived], table: _All, images: Images) -> Iterator[tuple[int, int]]:
    """Yield pairs of samples of different videos whose images are copies, one pair for each two videos."""
    import numpy as np

    hashes: Hashes = np.fromiter(
        (hashed(pixels) for _, pixels in _pixels(arrived, table, np.arange(len(table.new)), images)),
        np.uint64,
        len(table.new),
    )
    new = np.flatnonzero(table.new)
    first, other, bits = near_pairs(hashes[new], hashes)
    first = new[first]
    wanted = (table.video[first] != table.video[other]) & (~table.new[other] | (other < first))
    first, other, bits = first[wanted], other[wanted], bits[wanted]
    order = np.argsort(bits, kind="stable")  # of two videos, the pair of frames that are nearest to each other
    first, other = first[order], other[order]
    _, kept = np.unique(np.stack([table.video[first], table.video[other]]), axis=1, return_index=True)
    first, other = first[kept], other[kept]
    rows = np.unique(np.concatenate([first, other]))
    seen = dict(_pixels(arrived, table, rows, images))
    pairs = zip(first.tolist(), other.tolist(), strict=True)
    yield from (pair for pair in pairs if are_copies(seen[pair[0]], seen[pair[1]]))


def _pixels(
    arrived: Sequence[Arrived], table: _All, rows: Rows, images: Images
) -> Iterator[tuple[int, Pixels]]:
    """Yield rows of the table, which rise, with their pixels."""
    for place, one in enumerate(arrived):
        wanted = rows[table.place[rows] == place]
        if len(wanted):
            encoded = images(one.manifest, table.row[wanted])
            for row, image in zip(wanted.tolist(), encoded, strict=True):
                yield row, small(image, table.key[row])


def _finding(
    table: _All, domain: str, batch: str, equal: bool, relation: str, pairs: list[tuple[int, int]]
) -> Finding:
    severity, where, remedy = _MEANING[relation]
    shown = [[table.key[one], table.key[other]] for one, other in pairs[:SHOWN]]
    samples = len({one for one, _ in pairs})
    copies = "whose image" if equal else "whose image, encoded again,"
    named_pairs = ", ".join(f"{one} and {other}" for one, other in shown)
    more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
    words = (
        f"{named(domain, batch)} has {samples} samples {copies} is also in another video {where}: "
        f"{named_pairs}{more}. {remedy}."
    )
    facts: dict[str, Any] = {
        "equal_bytes": equal,
        "contradiction": relation,
        "samples": samples,
        "pairs": shown,
        "domains": sorted({table.domain[other] for _, other in pairs}),
    }
    return Finding("duplicates", severity, domain, batch, words, facts)
