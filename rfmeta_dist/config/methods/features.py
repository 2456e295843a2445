"""Describe the methods of hand-made features and a classifier that the paper compares its method with."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.methods.facts import MethodFacts

FEATURES: Mapping[str, MethodFacts] = {}
