"""Describe the learning rules that the paper compares its method with, and one of a later paper."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.methods.facts import MethodFacts

RIVALS: Mapping[str, MethodFacts] = {}
