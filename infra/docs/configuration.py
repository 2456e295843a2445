"""Write the reference of a run's configuration, and its JSON schema, from pydantic's model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rfmeta_dist.config.methods import METHODS, owners
from rfmeta_dist.config.methods.tables import in_order
from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study

Schema = Mapping[str, Any]

HEAD = """# Configuration of a run

This page is generated from the program, and so is the [JSON schema](configuration.schema.json), with which
editors complete and check files.

A configuration is a YAML file with the sections below. `rfmeta example` lists files to start from. On the
command line, `--set SECTION.FIELD=VALUE` overrides a field and may be repeated. A field that wants text keeps
`NO` and `0123` as text, and a field that wants a number reads `0123` as 123 and `1e-3` as 0.001. An unknown
field is an error.

```yaml
# yaml-language-server: $schema=configuration.schema.json
run: {name: first}
data: {prefix: s3://bucket/faces, sources: [O, C, I], target: M}
```

Limits that connect fields, such as the number of workers that the sources have work for, are checked when the
file is read. The message names the field and a value that is allowed.
"""


def schema() -> str:
    """Return the JSON schema of a configuration file as text."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    entry = {"type": ["object", "null"], "propertyNames": {"pattern": r"^\w+(\.\w+)+$"}}
    whole["properties"]["methods"] = {
        "description": "settings of single methods: dotted field and value",
        "type": ["object", "null"],
        "properties": dict.fromkeys(METHODS, entry),
        "additionalProperties": False,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def page() -> str:
    """Return the whole page in Markdown: a table of fields for each section."""
    whole = Config.model_json_schema()
    parts = [HEAD]
    for name, section in _sections(whole):
        parts += [f"## {name}", "", " ".join(section.get("description", "").split()), ""]
        parts += ["| field | values | default | meaning |", "|---|---|---|---|"]
        required = section.get("required", ())
        for field, facts in section["properties"].items():
            default = "required" if field in required else _value(facts.get("default"))
            meaning = facts.get("description", "").replace("|", "\\|")
            if name == "method" and owners(field):
                meaning += f". Only for {', '.join(f'`{owner}`' for owner in owners(field))}"
            parts.append(f"| `{field}` | {_kind(facts, name + field)} | {default} | {meaning} |")
        parts.append("")
        if name == "method":
            parts += [NAMES_HEAD, *_names(), ""]
    return "\n".join([*parts, METHODS_HEAD, *_presets(), ""])


def _presets() -> list[str]:
    """Return the presets of all methods in Markdown."""
    shown = {
        name: ", ".join(f"`{field}: {json.dumps(value)}`" for field, value in facts.preset.items())
        for name, facts in METHODS.items()
        if facts.preset
    }
    if not shown:
        return ["No method has a preset."]
    return ["| method | preset |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in shown.items())]


def _names() -> list[str]:
    """Return a table of all methods in Markdown, in the order of the paper's tables."""
    kinds = {
        "gradient": "networks, in steps",
        "features": "a classifier of hand-made features",
    }
    rows = [f"| `{name}` | {METHODS[name].title} | {kinds[METHODS[name].kind]} |" for name in in_order()]
    return ["| `method.name` | title | what is trained |", "|---|---|---|", *rows]


NAMES_HEAD = """What the methods compute: [RFMeta and its variants](../explanation/engine.md#methods),
[rivals](../explanation/rivals.md) and [hand-made features](../explanation/features.md).
"""


METHODS_HEAD = """## methods

Settings of single methods, for files with which several methods are trained (`rfmeta leave-one-out --methods`):

```yaml
methods:
  no_depth: {training.learning_rate: 5e-4, training.steps: 2000}
```

The fields have dots in their names. All entries are checked when the file is read. The section belongs to the
file alone: a run's folder has the resolved values. A field gets its value from the first of these places that
sets it:

1. `--set methods.NAME.FIELD=VALUE`, for the method NAME
2. `--set FIELD=VALUE`, for every method
3. the section `methods`, for its method
4. for the file's own method, `method.name`: the file, then the method's preset. For another method, which is
   chosen with `--methods`: the method's preset, then the file
5. the default

A preset is what a method is trained with unless the configuration says otherwise.
"""


STUDY_HEAD = """# Study file

This page is generated from the program. A study is what `rfmeta tune` searches ([how to](../how-to/tune.md)).
`rfmeta example study` prints one. On the command line, `--set search.candidates=8` overrides a field, and
`--set base.training.steps=100` one of the base.
"""


RETRAINING_HEAD = """# Retraining file

This page is generated from the program. A retraining is what `rfmeta retrain` works on
([how to](../how-to/retrain.md)). `rfmeta example retrain` prints one. On the command line,
`--set watch.least_videos=50` overrides a field, and `--set base.training.steps=100` one of the base.
"""


def study_page() -> str:
    """Return the page about study files in Markdown: a table of fields for the study and for each section."""
    return STUDY_HEAD + "\n" + _tables("study", Study.model_json_schema(), STUDY_SECTIONS)


def retraining_page() -> str:
    """Return the page about the files of retrainings, in the form of `study_page`."""
    return RETRAINING_HEAD + "\n" + _tables("retraining", Retraining.model_json_schema(), RETRAINING_SECTIONS)


def _tables(what: str, whole: Schema, sections: Mapping[str, str]) -> str:
    """Return a table of fields for the whole file, and one for each section.

    Args:
        what: name of the file's kind.
        whole: its JSON schema.
        sections: the name of the definition of each section, by field.
    """
    parts = []
    for name, section in {
        what: whole,
        **{field: whole["$defs"][kind] for field, kind in sections.items()},
    }.items():
        if name != what:
            parts += [f"## {name}", "", " ".join(section.get("description", "").split()), ""]
        parts += ["| field | values | default | meaning |", "|---|---|---|---|"]
        required = section.get("required", ())
        for field, facts in section["properties"].items():
            default = "required" if field in required else _value(facts.get("default"))
            linked = f"[a section](#{field})" if name == what and field in sections else ""
            kind = linked or KINDS.get(field) or _kind(facts, name + field)
            meaning = facts.get("description", "").replace("|", "\\|")
            parts.append(f"| `{field}` | {kind} | {'see there' if linked else default} | {meaning} |")
        parts.append("")
    return "\n".join(parts)


STUDY_SECTIONS = {"search": "Search", "budget": "Budget"}
RETRAINING_SECTIONS = {
    "watch": "Watch",
    "challenger": "Challenger",
    "gate": "Gate",
    "drift": "Drift",
    "registry": "Registered",
}
KINDS = {
    "base": "[a configuration](configuration.md), or the path of one",
    "space": "field → distribution",
    "points": "list of field → value",
    "rungs": "list of whole numbers, rising",
    "seeds": "list of whole numbers",
}


def _sections(whole: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield each section under the name that a file gives it, a section inside another one after it."""
    definitions = whole["$defs"]
    for name, facts in whole["properties"].items():
        section = definitions[_target(facts)]
        yield name, section
        for field, inner in section["properties"].items():
            if _target(inner):
                yield f"{name}.{field}", definitions[_target(inner)]


def _target(facts: Schema) -> str:
    """Return the name of the definition that a field refers to, directly or as one of several kinds; or ''."""
    for kind in (facts, *facts.get("anyOf", ()), *facts.get("allOf", ())):
        if "$ref" in kind:
            return str(kind["$ref"]).rpartition("/")[2]
    return ""


def _kind(facts: Schema, anchor: str) -> str:
    """Return in words which values a field may have; `anchor` is that of its section, if it is one."""
    if _target(facts):
        return f"[a section](#{anchor})"
    several = [kind for kind in facts.get("anyOf", ()) if kind.get("type") != "null"]
    facts = several[0] if several else facts
    if "enum" in facts:
        return ", ".join(f"`{value}`" for value in facts["enum"])
    if facts["type"] == "array":
        return "list of names"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    kind = "name" if "pattern" in facts else words[facts["type"]]
    return ", ".join([kind, *_bounds(facts)])


def _bounds(facts: Schema) -> Iterator[str]:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    for key, sign in signs.items():
        if key in facts:
            yield f"{sign} {facts[key]:,}".removesuffix(".0")
    if "multipleOf" in facts:
        yield f"a multiple of {facts['multipleOf']}"


def _value(default: Any) -> str:
    return "none" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`".replace('"', "")
