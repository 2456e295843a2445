"""Name the settings of a run on which its method's model does not depend, so that nobody tunes them in vain."""

from __future__ import annotations

from collections.abc import Iterator

from rfmeta_dist.config.schema import Config

# What hand-made features do not use: whole sections but for some fields, and single fields of other sections.
_SECTIONS: dict[str, tuple[str, ...]] = {"model": (), "episode": (), "training": ("seed", "wait_s")}
_FIELDS = (
    "data.batch",
    "data.augmentation",
    "evaluation.recalibration_batches",
    "evaluation.checkpoint",
    "evaluation.candidates",
)


def unused_fields(config: Config) -> list[str]:
    """Return the dotted fields, other than at their defaults, on which the run's model does not depend."""
    return [field for field in dict.fromkeys(_unused_by_method(config)) if _is_set(config, field)]


def unused_notes(config: Config) -> list[str]:
    """Return a message for the user that names these fields; no message if there are none."""
    *first, last = unused_fields(config) or [""]
    if not last:
        return []
    fields = f"{', '.join(first)} and {last}" if first else last
    return [
        f"the model of this run does not depend on {fields}, so you can remove "
        f"{'them' if first else 'it'} from the configuration"
    ]


def _unused_by_method(config: Config) -> Iterator[str]:
    facts = config.method.facts
    if config.episode_domains < len(config.data.sources):
        yield "method.schedule"  # such episodes take turns in any case
    if facts.kind == "gradient":
        yield "model.batch_norm"  # its running statistics are replaced before a model is judged
    for name in facts.unused:
        yield name if "." in name else f"method.{name}"
    if facts.kind == "features":
        for section, used in _SECTIONS.items():
            names = type(getattr(config, section)).model_fields
            yield from (f"{section}.{name}" for name in names if name not in used)
        yield from _FIELDS


def _is_set(config: Config, field: str) -> bool:
    section, name = field.split(".")
    values = getattr(config, section)
    value: object = getattr(values, name)
    return bool(value != type(values).model_fields[name].default)
