"""Restrict a domain to the samples that one of its official protocols lists, each in its part of the protocol.

A manifest lists the protocols of each sample in the optional column `protocols`, each with its part:
`1/train 3_2/test`. A part replaces the split in which a sample is stored. There is one exception: some data
sets have no validation part, and ingest takes it from their training people. If a protocol has no validation
part either, its train samples that are stored in the split `validation` are its validation part.

Each domain also has the protocol `splits`: its own splits, for domains without official protocols.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest, Shard

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

COLUMN = "protocols"
OWN = "splits"  # the protocol that consists of a domain's own splits

_NONE = -1  # part of a sample that a protocol does not list


def protocols_of(manifest: Manifest) -> list[str]:
    """Return the sorted names of the official protocols of a domain, such as `1`, `3_1`, `3_2`."""
    return sorted({entry.rpartition("/")[0] for entries in _listed(manifest)[0] for entry in entries})


def folds_of(manifest: Manifest, protocol: str) -> list[str]:
    """Return the folds of a protocol, such as `3_1` to `3_6` of `3`; the protocol alone if it has no folds.

    Raises:
        DataError: the domain has neither this protocol nor folds of it.
    """
    known = protocols_of(manifest)
    folds = [name for name in known if re.fullmatch(rf"{re.escape(protocol)}_\d+", name)]
    if protocol in known or not folds:
        _require_known(manifest, protocol)
        return [protocol]
    return sorted(folds, key=lambda name: int(name.rpartition("_")[2]))


def restricted(manifest: Manifest, protocol: str, parts: Collection[Split]) -> Manifest:
    """Return a manifest of the samples in some parts of a protocol. The split of each sample is its part.

    Nothing in the result refers to a sample of another part. The shards are those that are stored, with fewer
    samples.

    Args:
        manifest: a whole domain.
        protocol: name of the protocol, such as `3_2`.
        parts: the parts to keep.

    Raises:
        DataError: the domain has no such protocol, the protocol lists a sample or a person in two of its parts,
            or a part to keep lacks a class.
    """
    import pyarrow as pa

    _require_known(manifest, protocol)
    part = _parts(manifest, protocol)
    _require_apart(manifest, protocol, part)
    tables, shards, counts = [], list[Shard](), dict[str, Mapping[str, int]]()
    for split in SPLITS:
        if split not in parts:
            continue
        chosen = part == SPLITS.index(split)
        first = sum(shard.samples for shard in shards)
        own = list(_some(manifest.shards, chosen, split, first))
        shards += own
        counts[split] = _count(manifest, protocol, split, own)
        tables.append(_as_split(manifest.samples.filter(pa.array(chosen)), split))
    return replace(
        manifest, samples=pa.concat_tables(tables), shards=tuple(shards), counts=counts, protocol=protocol
    )


def renamed(manifest: Manifest, name: str) -> Manifest:
    """Return a manifest whose table of samples gives another name of the domain, which scores take from it."""
    import pyarrow as pa

    return replace(manifest, samples=_constant(manifest.samples, "domain", pa.scalar(name)))


def _listed(manifest: Manifest) -> tuple[list[list[str]], NDArray[np.int64]]:
    """Return the distinct lists of protocols with parts, and for each sample the index of its list."""
    import numpy as np

    if COLUMN not in manifest.samples.column_names:
        return [], np.zeros(manifest.samples.num_rows, np.int64)
    column = manifest.samples[COLUMN].unify_dictionaries().combine_chunks()
    return [value.split() for value in column.dictionary.to_pylist()], column.indices.to_numpy()


def _require_known(manifest: Manifest, protocol: str) -> None:
    known = protocols_of(manifest)
    if protocol in (*known, OWN):
        return
    where = f"domain {manifest.domain}"
    if not known:
        raise DataError(
            f"{where} has no official protocols: no sample in its manifest is in one",
            f"set data.within={manifest.domain}/{OWN} for its own splits, or ingest the data with a layout "
            "that reads its protocols, such as oulu_npu",
        )
    folds = [name for name in known if re.fullmatch(rf"{re.escape(protocol)}_\d+", name)]
    if folds:
        raise DataError(
            f"protocol {protocol} of {where} has {len(folds)} folds, each for a run: {', '.join(folds)}",
            f"set data.within={manifest.domain}/{folds[0]}, or run all folds with `rfmeta leave-one-out`",
        )
    raise DataError(
        f"{where} has no protocol {protocol}; it has {', '.join(known)}, and {OWN} for its own splits",
        f"set data.within={manifest.domain}/{known[0]}, or another of them",
    )


def _parts(manifest: Manifest, protocol: str) -> NDArray[np.int64]:
    """Return for each sample the index in SPLITS of its part of a protocol; _NONE if the protocol lacks it.

    Raises:
        DataError: a sample is in two parts, or in an unknown part.
    """
    import numpy as np

    if protocol == OWN and protocol not in protocols_of(manifest):
        return _stored(manifest)
    lists, index = _listed(manifest)
    part = np.array([_part(manifest, protocol, entries) for entries in lists])[index]
    train, validation = SPLITS.index("train"), SPLITS.index("validation")
    if not (part == validation).any():
        stored = _stored(manifest)
        part[(part == train) & (stored == validation)] = validation
    return part


def _part(manifest: Manifest, protocol: str, entries: Iterable[str]) -> int:
    """Return the part of a protocol in a list such as `1/train 3_2/test`, as an index in SPLITS or _NONE."""
    own = [part for name, _, part in (entry.rpartition("/") for entry in entries) if name == protocol]
    if not own:
        return _NONE
    where = f"protocol {protocol} of domain {manifest.domain} lists samples in"
    remedy = "correct the lists of the data set and ingest the domain again, or choose another protocol"
    if len(own) > 1:
        raise DataError(f"{where} its parts {' and '.join(own)} at once", remedy)
    if own[0] not in SPLITS:
        raise DataError(f"{where} a part {own[0]!r}, but a part is one of {', '.join(SPLITS)}", remedy)
    return SPLITS.index(own[0])


def _stored(manifest: Manifest) -> NDArray[np.int64]:
    """Return for each sample the index in SPLITS of the split in which it is stored."""
    import numpy as np

    return np.repeat([SPLITS.index(s.split) for s in manifest.shards], [s.samples for s in manifest.shards])


def _require_apart(manifest: Manifest, protocol: str, part: NDArray[np.int64]) -> None:
    """Check that no person is in two parts of a protocol."""
    import pyarrow as pa

    people = {
        split: set(manifest.samples["subject_id"].filter(pa.array(part == number)).to_pylist())
        for number, split in enumerate(SPLITS)
    }
    for one, other in combinations(SPLITS, 2):
        if both := sorted(people[one] & people[other]):
            raise DataError(
                f"protocol {protocol} of domain {manifest.domain} has the same people in its parts {one} and "
                f"{other} (such as {both[0]}; {len(both)} in all), and figures of people that the model knows "
                "would flatter",
                "choose another protocol, or correct the subjects of the data set and ingest the domain again",
            )


def _some(shards: Iterable[Shard], chosen: NDArray[np.bool_], split: Split, first: int) -> Iterator[Shard]:
    """Yield the shards that hold chosen samples, with the number of these samples and their first row."""
    for shard in shards:
        count = int(chosen[shard.first : shard.first + shard.samples].sum())
        if count:
            yield replace(shard, split=split, samples=count, first=first)
        first += count


def _count(manifest: Manifest, protocol: str, split: Split, shards: Collection[Shard]) -> dict[str, int]:
    """Return the number of samples of each class in a part.

    Raises:
        DataError: the part lacks a class.
    """
    counts = {name: sum(s.samples for s in shards if s.label == label) for label, name in enumerate(CLASSES)}
    missing = [name for name, count in counts.items() if not count]
    if missing:
        what = "samples" if len(missing) == 2 else f"{missing[0]} samples"
        raise DataError(
            f"protocol {protocol} of domain {manifest.domain} has no {what} in its part '{split}'",
            "each part needs live and attack samples: ingest all recordings that the protocol lists, or set "
            "data.within to another protocol",
        )
    return counts


def _as_split(samples: pa.Table, split: Split) -> pa.Table:
    import pyarrow as pa

    return _constant(samples, "split", pa.scalar(split))


def _constant(samples: pa.Table, name: str, value: pa.Scalar) -> pa.Table:
    """Return a table in which a column of names has the same value in each row."""
    import pyarrow as pa

    position = samples.column_names.index(name)
    kind = samples.schema.field(name)
    column = pa.array([value.as_py()] * samples.num_rows, pa.string()).cast(kind.type)
    return samples.set_column(position, kind, column)
