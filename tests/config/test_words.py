"""Names stay the words that were written; numbers are plain decimals; files and overrides agree about both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.config.load import check, dump, load_config
from rfmeta_dist.config.words import NULLS, read_words, typed
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.synth.domains.card import folder, read_card

WORDS = [
    "NO",
    "on",
    "yes",
    "False",
    "null",
    "Null",
    "0123",
    "0o17",
    "0x10",
    "1e5",
    "1E5",
    "1_1_1",
    "83",
    "2026-01-01",
]
# Words that YAML has another meaning for, and that are no names of runs but may be names of folders.
PLACES = [
    *WORDS,
    "12:30:00",
    "1.5",
    ".5",
    "=",
    "<<",
    "a #b",
    "a: b",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "- a",
    "`a`",
]


def write(folder: Path, name: str = "r", place: str = "x", sources: str = "[A, B, C]", **sections: Any) -> Path:
    file = folder / "c.yaml"
    more = "".join(f"{section}: {fields}\n" for section, fields in sections.items())
    data = f"data: {{prefix: {place}, sources: {sources}, target: D}}"
    file.write_text(f"run: {{name: {name}}}\n{data}\n{more}", encoding="utf-8")
    return file


@pytest.mark.parametrize("word", WORDS)
def test_a_name_is_the_word_that_is_written_in_a_file_and_in_an_override(tmp_path, word):
    in_file = load_config(write(tmp_path, name=word, sources=f"[{word}, B, C]"))
    assert (in_file.run.name, in_file.data.sources) == (word, (word, "B", "C"))
    overrides = [f"run.name={word}", f"data.target={word}", f"data.sources=[A,{word},C]"]
    given = load_config(write(tmp_path), overrides[:2])
    assert (given.run.name, given.data.target) == (word, None if word in NULLS else word)  # may be left out
    assert load_config(write(tmp_path), overrides[2:]).data.sources == ("A", word, "C")


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_is_the_one_that_is_written(tmp_path, place):
    assert load_config(write(tmp_path), [f"data.prefix={place}"]).data.prefix == str(Path(place).resolve())
    quoted = load_config(write(tmp_path, place=f"'{place}'"))
    assert quoted.data.prefix == str(Path(place).resolve())


@pytest.mark.parametrize("word", WORDS)
def test_a_configuration_of_such_names_survives_being_written_and_read(tmp_path, word):
    config = load_config(
        write(tmp_path), [f"run.name={word}", f"data.sources=[{word},B,C]", f"run.folder={word}"]
    )
    stored = tmp_path / "stored.yaml"
    stored.write_text(dump(config), encoding="utf-8")
    assert load_config(stored) == config
    assert check(yaml.safe_load(dump(config)), "stored") == config  # as the folder of a run is read


NUMBERS: list[tuple[str, str, Any]] = [
    ("training.seed", "0123", 123),
    ("training.seed", "1_000", 1000),
    ("training.steps", "1e3", 1000),
    ("training.steps", "20.0", 20),
    ("training.learning_rate", "1e-3", 0.001),
    ("training.learning_rate", "1E-3", 0.001),
    ("training.learning_rate", ".5", 0.5),
    ("training.learning_rate", "1", 1.0),
    ("training.clip", "010", 10.0),
    ("training.clip", "null", None),
    ("training.clip", "~", None),
    ("training.clip", "", None),
    ("data.augmentation", "null", None),
    ("training.offload", "NO", False),
    ("training.activation_checkpointing", "on", True),
]


@pytest.mark.parametrize(("field", "text", "value"), NUMBERS)
def test_a_number_is_a_plain_decimal_in_a_file_and_in_an_override(tmp_path, field, text, value):
    section, name = field.split(".")
    given = load_config(write(tmp_path), [f"{field}={text}"])
    path = tmp_path / "c.yaml"
    tree = {"run": {"name": "r"}, "data": {"prefix": "x", "sources": ["A", "B", "C"], "target": "D"}}
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if k != section}), encoding="utf-8")
    known = "".join(f"\n  {key}: {json.dumps(item)}" for key, item in tree.get(section, {}).items())
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{section}:{known}\n  {name}: {text}\n")
    for config in (given, load_config(path)):
        found = getattr(getattr(config, section), name)
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text", ["0x10", "0b11", "0o17", "12:30", "1__0", "1_", "1.5", "yes", "1e400", "١٢", "nan"]
)
def test_what_is_no_plain_whole_number_is_refused_by_name(tmp_path, text):
    with pytest.raises(ConfigError, match=r"training\.seed="):
        load_config(write(tmp_path), [f"training.seed={text}"])
    with pytest.raises(ConfigError, match=r"training\.seed="):
        load_config(write(tmp_path, training=f"{{seed: {text}}}"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.augmentation.x=1", ["data.augmentation.x is unknown", "use one of: flip, crop"]),
        ("data.augmentation.flipp=1", ["data.augmentation.flipp is unknown", "did you mean flip?"]),
        ("data.augmentation.flip.x=1", ["data.augmentation.flip"]),
        ("run.name.x=1", ["run.name"]),
        ("data.sources.0=1", ["data.sources"]),
        ("training.clip.x.y=1", ["training.clip"]),
        ("a..b=1", ["'a..b=1' is not of the form"]),
        (".=1", ["'.=1' is not of the form"]),
        ("[=1", ["'[=1' is not of the form"]),
        ("data. prefix=1", ["'data. prefix=1' is not of the form"]),
        ("data.prefix=[x]/data", ["not YAML"]),
        ("run.name=", ['run.name="" is not a name']),
        ("run={name: a, name: b}", ["twice"]),
    ],
)
def test_an_override_that_cannot_be_is_one_line(tmp_path, override, words):
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path), [override])
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_anchors_and_references_between_fields_still_work(tmp_path):
    path = write(tmp_path, training="&t {steps: 7, seed: '${training.steps}'}", method="{name: no_meta}")
    assert load_config(path).training.seed == 7
    path.write_text(path.read_text() + "evaluation: &e {<<: {recalibration_batches: 3}}\n", encoding="utf-8")
    assert load_config(path).evaluation.recalibration_batches == 3


def test_a_key_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'seed' twice"):
        load_config(write(tmp_path, training="{seed: 1, seed: 2}"))


def test_an_optional_section_is_switched_on_by_one_of_its_fields(tmp_path):
    config = load_config(write(tmp_path), ["data.augmentation=null", "data.augmentation.flip=0.25"])
    assert config.data.augmentation is not None
    assert config.data.augmentation.flip == 0.25


@pytest.mark.parametrize("word", ["NO", "0123", "1e5", "on", "null"])
def test_the_names_of_a_card_are_words_too(tmp_path, word):
    text = (folder() / "M.yaml").read_text(encoding="utf-8")
    lines = [f"name: {word}" if line.startswith("name:") else line for line in text.splitlines()]
    (tmp_path / "card.yaml").write_text("\n".join(lines), encoding="utf-8")
    assert read_card(tmp_path / "card.yaml").name == word


def test_a_dataclass_takes_its_types_as_a_section_does():
    @dataclass
    class Part:
        counts: dict[str, int]
        span: tuple[float, float]

    globals()["Part"] = Part
    tree = read_words("{counts: {NO: 010}, span: [1, 2e0], other: 1}")
    assert typed(tree, Part) == {"counts": {"NO": 10}, "span": [1.0, 2.0], "other": "1"}
