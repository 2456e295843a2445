"""What `rfmeta ingest` says of sizes that no crop can have."""

from __future__ import annotations

import pytest

from rfmeta_dist.core.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--size huge", ["--size 'huge'", "a number of pixels", "write --size 256 or --size native"]),
        ("--size 60", ["(--size) cannot be 60 pixels", "a multiple of 8"]),
        ("--smallest 32", ["--smallest 32", "add --size native"]),
        ("--size native --smallest 5000", ["(--smallest) cannot be 5000 pixels", "use 1 to 1024 pixels"]),
    ],
)
def test_a_size_that_cannot_be_is_named_with_what_can(rfmeta, tmp_path, options, words):
    ending = rfmeta("ingest", "folder", tmp_path, "--out", tmp_path / "out", *options.split())
    assert ending.code == ConfigError.exit_code
    for word in words:
        assert word in ending.error
