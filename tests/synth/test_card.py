"""Domain cards: the four that come along, one of a user's own, and the mistakes one can make in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.synth.domains.card import DOMAINS, folder, join, read_card
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import plan, render

ROOT = Path(__file__).parents[2]


def write(path: Path, **changes: Any) -> Path:
    """A card like M's, called X, with some fields changed (None: left out)."""
    tree = yaml.safe_load((folder() / "M.yaml").read_text(encoding="utf-8")) | {"name": "X"} | changes
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if v is not None}), encoding="utf-8")
    return path


def test_the_cards_hold_the_subjects_and_attack_ratios_of_the_real_sets():
    people = {name: tuple(card.subjects.values()) for name, card in DOMAINS.items()}
    assert people == {"O": (20, 15, 20), "C": (15, 5, 30), "I": (15, 15, 20), "M": (12, 3, 20)}
    # OULU-NPU has 72 attacks to 18 live recordings of a person, CASIA-FASD 9 to 3, Replay-Attack 20 to 4,
    # MSU-MFSD 6 to 2.
    assert {name: len(card.attacks) for name, card in DOMAINS.items()} == {"O": 4, "C": 3, "I": 5, "M": 3}
    assert [len(DOMAINS[name].cameras) for name in "OCIM"] == [6, 3, 1, 2]
    assert len(DOMAINS["O"].sessions) == 3


def test_every_spurious_cue_means_the_opposite_in_another_domain():
    cues = {(cue.kind, cue.sign) for card in DOMAINS.values() for cue in card.nuisances}
    kinds = {kind for kind, _ in cues}
    assert len(kinds) >= 6
    assert cues == {(kind, sign) for kind in kinds for sign in (1, -1)}


def test_a_fifth_domain_from_a_card_is_planned_and_rendered_and_leaves_the_others_alone(tmp_path):
    path = write(
        tmp_path / "x.yaml", attacks=["replay"], papers=None, subjects={"train": 2, "validation": 1, "test": 1}
    )
    domains = join([path])
    assert list(domains) == ["O", "C", "I", "M", "X"]
    videos = plan("X", SCALES["full"], 0, None, domains=domains)
    assert len({video.subject for video in videos}) == 4
    assert {video.attack_type for video in videos} == {"live", "replay"}
    samples = render(replace(videos[-1], size=64, frames=1))
    assert samples[0].key.startswith("X-")
    assert plan("M", SCALES["full"], 0, None, domains=domains) == plan("M", SCALES["full"], 0, None)


@pytest.mark.parametrize("scale", sorted(SCALES))
def test_a_card_of_ones_own_has_the_people_it_asks_for_at_every_scale(tmp_path, scale):
    domains = join([write(tmp_path / "x.yaml", subjects={"train": 5, "validation": 2, "test": 3})])
    people = {(v.split, v.subject) for v in plan("X", SCALES[scale], 0, None, domains=domains)}
    found = {split: sum(s == split for s, _ in people) for split in ("train", "validation", "test")}
    assert found == {"train": 5, "validation": 2, "test": 3}


def test_the_card_in_the_documentation_is_a_card(tmp_path):
    text = (ROOT / "docs/explanation/generated-domains.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "lab.yaml").write_text(example, encoding="utf-8")
    assert list(join([tmp_path / "lab.yaml"]))[-1] == "LAB"


CAMERA = {
    "name": "c",
    "focal": 3.0,
    "pitch": 5.0,
    "distance": [400, 500],
    "defocus": [0.5, 1],
    "vignette": [0, 0.1],
    "balance": [0, 0],
    "noise": [0, 0.01],
}
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown field": ({"camera": []}, ["camera is unknown", "did you mean cameras?"]),
    "unknown nested": (
        {"cameras": [CAMERA | {"focl": 3}]},
        ["cameras.0.focl is unknown", "did you mean focal?"],
    ),
    "unlike any": (
        {"cameras": [CAMERA | {"zzz": 3}]},
        ["cameras.0.zzz is unknown", "use one of: name, focal"],
    ),
    "missing": ({"quality": None}, ["quality is missing", "rfmeta example M"]),
    "missing nested": ({"cameras": [{"name": "c"}]}, ["cameras.0.focal is missing"]),
    "missing split": ({"subjects": {"train": 3}}, ["subjects leaves a split without people", "validation"]),
    "of an earlier version": (
        {"cameras": [CAMERA | {"sensor": 200}]},
        ["cameras.0.sensor is unknown", "in millimetres now: give focal, pitch and distance"],
    ),
    "wrong type": ({"cameras": [CAMERA | {"focal": "long"}]}, ['cameras.0.focal="long"', "number"]),
    "no length": ({"cameras": [CAMERA | {"distance": [0, 10]}]}, ["cameras.0: distance is not above 0"]),
    "not a list": ({"cameras": 3}, ['cameras="3": is not a list']),
    "not a mapping": ({"cameras": [3]}, ['cameras.0="3": is not a mapping of fields']),
    "falling range": (
        {"cameras": [CAMERA | {"noise": [0.2, 0.1]}]},
        ["cameras.0.noise=[0.2, 0.1] begins with its higher end", "[lowest, highest]"],
    ),
    "half a range": ({"cameras": [CAMERA | {"noise": [0.2]}]}, ["cameras.0.noise.1 is missing"]),
    "not finite": ({"cameras": [CAMERA | {"noise": [0, float("inf")]}]}, ["cameras.0.noise.1", "finite"]),
    "nothing to draw from": ({"cameras": []}, ["cameras is empty", "add at least one entry"]),
    "nested nothing": (
        {"sessions": [{"name": "s", "lights": [], "backdrops": ["wall"]}]},
        ["sessions.0: lights is empty"],
    ),
    "unknown backdrop": (
        {"sessions": [{"name": "s", "lights": [], "backdrops": ["beach"]}]},
        ["sessions.0.backdrops.0", "'wall'"],
    ),
    "no paper": ({"papers": []}, ["printed attacks, but papers is empty", "add a paper to papers"]),
    "no screen": ({"screens": []}, ["replays, but screens is empty", "add a screen to screens"]),
    "unknown attack": ({"attacks": ["mask"]}, ['attacks.0="mask"', "'print'"]),
    "sign": ({"nuisances": [{"kind": "warm", "sign": 0.5}]}, ['nuisances.0.sign="0.5"', "1 or -1"]),
    "quality": ({"quality": [90, 300]}, ["quality [90, 300] is not a range", "1 to 100"]),
    "name": ({"name": "a-b"}, ["'a-b' is not valid for a domain", "letters"]),
    "a list for a name": ({"name": ["X"]}, ['name=["X"]: is not a text']),
    "taken": ({"name": "O"}, ["there is a domain 'O' already", "another name"]),
}


@pytest.mark.parametrize(("changes", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_card_is_named_with_its_file_and_remedy(tmp_path, changes, words):
    path = write(tmp_path / "x.yaml", **changes)
    with pytest.raises(ConfigError) as error:
        join([path])
    assert [word for word in [str(path), *words] if word not in str(error.value)] == [], str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: [", "is not YAML: line 1"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"- 1", "is not a mapping"),
        (b"", "mapping"),
    ],
)
def test_a_file_that_is_no_card_is_refused(tmp_path, content, words):
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_card(tmp_path / "x.yaml")


def test_a_card_that_is_not_there_and_a_name_given_twice_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        join([tmp_path / "x.yaml"])
    path = write(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match="'X' already"):
        join([path, path])


def test_a_wheel_carries_the_cards_and_reads_its_own(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {f"rfmeta_dist/synth/cards/{name}.yaml" for name in "OCIM"} <= set(names)
    asked = "from rfmeta_dist.synth.domains.card import DOMAINS, folder; print(folder(), *DOMAINS)"
    found = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.split() == [str(tmp_path / "site/rfmeta_dist/synth/cards"), "O", "C", "I", "M"]
