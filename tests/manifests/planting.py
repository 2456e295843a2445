"""Manifests of each kind without any finding, into which the tests plant mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rfmeta_dist.manifests.check import Finding, Purpose, findings

HERE = Path(__file__).parent
ALL = {file.stem: file.read_text(encoding="utf-8") for file in sorted((HERE / "good").glob("*.yaml"))}
CLUSTER, CORE, CRON, JOB = ALL["cluster"], ALL["core"], ALL["cron"], ALL["job"]
RAY_CRON, SUBMITTED = ALL["ray_cron"], ALL["submitted"]


@dataclass
class Planted:
    """What is found in a manifest after one of its lines was changed.

    Attributes:
        line: the line that was changed, from 1.
        found: all findings.
    """

    line: int
    found: list[Finding]

    def at(self, field: str) -> Finding:
        """Return the only finding about a field."""
        (one,) = [finding for finding in self.found if finding.field == field]
        return one


def plant(text: str, old: str, new: str, purpose: Purpose = "apply") -> Planted:
    """Replace the first occurrence of `old`, and return the findings."""
    before, separator, after = text.partition(old)
    assert separator, f"{old!r} does not occur"
    blank = len(new) - len(new.lstrip("\n "))
    line = (before + new[:blank]).count("\n") + 1
    return Planted(line, findings(before + new + after, "test.yaml", purpose))


MISTAKES: dict[str, Any] = yaml.safe_load((HERE / "planted.yaml").read_text(encoding="utf-8"))
