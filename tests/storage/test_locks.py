"""Replacing an object on disks whose file locks are missing or fail."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage import ChangedError, open_store


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_on_a_disk_without_locks_an_object_is_compared_and_replaced(tmp_path: Path, monkeypatch, number: int):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    store = open_store(str(tmp_path))
    store.create("x", b"0")
    _, first = store.read_tagged("x")
    second = store.replace("x", b"1", first)
    assert store.read_tagged("x") == (b"1", second)
    with pytest.raises(ChangedError):
        store.replace("x", b"2", first)
    assert store.list() == ["x"]
    assert os.listdir(tmp_path) == ["x"]


def test_a_lock_that_fails_leaves_no_file_open(tmp_path: Path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    store = open_store(str(tmp_path))
    store.create("x", b"0")
    _, tag = store.read_tagged("x")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StorageError, match="Input/output error"):
        store.replace("x", b"1", tag)
    assert len(os.listdir("/proc/self/fd")) == before
