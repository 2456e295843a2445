"""Compare two states of a domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.data.shards.manifest import Manifest

# A sample has changed if one of these columns has. Its place in a shard is not among them.
_CONTENT = ("split", "label", "attack_type", "subject_id", "video_id", "frame_index")
_HASHES = ("sha256_image", "sha256_depth", "sha256_label")


@dataclass(frozen=True)
class Change:
    """The sorted names of what was added, removed and changed."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """The differences between two states of a domain.

    Attributes:
        samples: sample keys; a sample has changed if its image, depth map or description has.
        shards: shard names; `changed` is always empty, because a shard's name depends on its content.
        contract: fields of the contract, nested ones as `a.b`, and `image_size`.
    """

    samples: Change
    shards: Change
    contract: Change


def diff(before: Manifest, after: Manifest) -> Difference:
    """Compare two states of a domain, or two domains, by their manifests. No shard is read."""
    return Difference(
        samples=_compared(_samples(before), _samples(after)),
        shards=_compared(*({s.name: s.sha256 for s in m.shards} for m in (before, after))),
        contract=_compared(_contract(before), _contract(after)),
    )


def _samples(manifest: Manifest) -> dict[str, tuple[Any, ...]]:
    columns = [manifest.samples[name].to_pylist() for name in (*_CONTENT, *_HASHES)]
    return dict(zip(manifest.samples["key"].to_pylist(), zip(*columns, strict=True), strict=True))


def _contract(manifest: Manifest) -> dict[str, Any]:
    return {"image_size": manifest.image_size, **dict(_flat("", manifest.contract))}


def _flat(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    elif name:
        yield name, value


def _compared(before: dict[str, Any], after: dict[str, Any]) -> Change:
    return Change(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )
