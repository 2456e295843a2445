"""Both kinds of store keep the same promises."""

from __future__ import annotations

import errno
import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage import (
    AccessError,
    AlreadyExistsError,
    MissingError,
    Store,
    open_store,
)
from rfmeta_dist.storage.s3 import Patience, S3Store


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    request.getfixturevalue("s3")
    return open_store(f"s3://tests/{uuid4().hex}")


def test_what_is_written_is_read_and_listed_until_deleted(store: Store):
    store.write("b/2", b"two")
    store.write("b/1", b"one")
    store.write("c", b"old")
    store.write("c", b"new")
    assert (store.read("b/1"), store.read("c")) == (b"one", b"new")
    assert store.list() == ["b/1", "b/2", "c"]
    assert store.list("b") == ["b/1", "b/2"]
    assert store.sub("b").list() == ["1", "2"]
    assert store.exists("c")
    store.delete("c")
    store.delete("c")
    assert not store.exists("c")
    assert not store.exists("b")


def test_a_listing_is_never_stale(store: Store):
    assert store.list("new") == []
    store.write("new/object", b"")
    assert store.list("new") == ["new/object"]


def test_a_missing_object_is_named(store: Store):
    with pytest.raises(MissingError, match=r"no/such\.tar does not exist"):
        store.read("no/such.tar")
    assert store.list("no") == []


def test_one_creator_wins(store: Store):
    def create(number: int) -> bool:
        try:
            store.create("manifest", str(number).encode())
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert store.read("manifest") == str(won.index(True)).encode()
    assert store.list() == ["manifest"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", "", "a/./b", "a\\b"])
def test_a_name_cannot_leave_the_store(store: Store, name: str):
    for use in (store.read, store.delete, store.exists, lambda n: store.write(n, b"")):
        with pytest.raises(StorageError, match="not a valid object name"):
            use(name)


def _read(store: Store) -> bytes:
    return store.read("object")


def test_a_store_goes_to_other_processes_without_credentials(store: Store):
    store.write("object", b"content")
    secret = os.environ.get("AWS_SECRET_ACCESS_KEY", "no secret in use")
    assert secret not in str(store.__reduce_ex__(4))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_read, store).result() == b"content"


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://", "http://host/x"])
def test_other_urls_are_refused(url: str):
    with pytest.raises(StorageError, match="cannot open a store"):
        open_store(url)


def test_a_file_url_is_a_folder(tmp_path: Path):
    open_store(str(tmp_path)).write("object", b"content")
    assert open_store(f"file://{tmp_path}/").read("object") == b"content"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting needs privileges")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _leaves_nothing_half_written(store: Store, folder: Path, code: int):
    store.write("object", b"old")
    for write in (store.write, store.create):
        with pytest.raises(StorageError, match=os.strerror(code)) as caught:
            write("object" if write == store.write else "other", bytes(1 << 20))
        assert "free space" in caught.value.remedy
    assert store.read("object") == b"old"
    assert [path.name for path in folder.rglob("*")] == ["object"]


def test_a_full_disk_leaves_nothing_half_written(small_disk: Path):
    _leaves_nothing_half_written(open_store(str(small_disk)), small_disk, errno.ENOSPC)


def test_a_file_size_limit_leaves_nothing_half_written(tmp_path: Path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limit[1]))
    try:
        _leaves_nothing_half_written(open_store(str(tmp_path)), tmp_path, errno.EFBIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_a_file_being_written_is_not_listed(tmp_path: Path):
    (tmp_path / ".partial-abc").write_bytes(b"half")
    assert open_store(str(tmp_path)).list() == []


def test_a_forbidden_folder_is_named(tmp_path: Path):
    (tmp_path / "object").mkdir()
    with pytest.raises(StorageError, match="object: Is a directory"):
        open_store(str(tmp_path)).read("object")


class TestFaults:
    """What S3 may answer, or not answer."""

    @pytest.fixture
    def no_waiting(self, monkeypatch):
        monkeypatch.setattr("rfmeta_dist.storage.s3.time.sleep", lambda _: None)

    @pytest.fixture
    def no_second_try(self, monkeypatch):
        def fail(_: float):
            raise AssertionError("tried again")

        monkeypatch.setattr("rfmeta_dist.storage.s3.time.sleep", fail)

    def test_a_missing_bucket_is_named(self, s3, no_second_try):
        with pytest.raises(MissingError, match=r"bucket of s3://no-such-bucket/x does not exist"):
            open_store("s3://no-such-bucket").read("x")
        with pytest.raises(MissingError, match="the bucket"):
            open_store("s3://no-such-bucket").list()

    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    def test_wrong_credentials_fail_at_once(self, s3, monkeypatch, no_second_try, name: str):
        store = open_store("s3://tests/secret")
        store.write("x", b"")
        monkeypatch.setenv(name, "wrong")
        for use in (store.read, store.exists, store.list, lambda n: store.write(n, b"")):
            with pytest.raises(AccessError, match=r"access denied.*AWS_SECRET_ACCESS_KEY"):
                use("x")

    def test_an_unreachable_server_is_named(self, s3, monkeypatch, no_waiting):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        with pytest.raises(StorageError, match=r"cannot be reached at http://127\.0\.0\.1:1"):
            open_store("s3://tests").read("x")

    @pytest.mark.parametrize("fault", ["503", "reset", "cut"])
    def test_passing_faults_are_ridden_out(self, s3, monkeypatch, no_waiting, faulty, fault: str):
        store = open_store(f"s3://tests/{uuid4().hex}")
        store.write("x", bytes(1 << 17))
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty(s3.endpoint, fault, times=2))
        assert store.read("x") == bytes(1 << 17)

    def test_lasting_faults_are_named(self, s3, monkeypatch, no_waiting, faulty):
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty(s3.endpoint, "503", times=1000))
        with pytest.raises(StorageError, match=r"s3://tests/x: the server answered 503"):
            open_store("s3://tests").read("x")

    def test_a_last_try_that_the_deadline_ends_does_not_hide_the_reason(self, s3, monkeypatch, faulty):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            behind = f"http://127.0.0.1:{silent.getsockname()[1]}"
            monkeypatch.setenv("AWS_ENDPOINT_URL", faulty(behind, "503", times=1))
            with pytest.raises(StorageError, match=r"s3://tests/x: the server answered 503"):
                S3Store("s3://tests", Patience(deadline=1.5)).read("x")

    def test_a_create_whose_answer_was_lost_is_no_conflict(self, s3, monkeypatch, no_waiting, faulty):
        store = open_store(f"s3://tests/{uuid4().hex}")
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty(s3.endpoint, "cut", times=1))
        store.create("x", b"mine")
        assert store.read("x") == b"mine"
        with pytest.raises(AlreadyExistsError):
            store.create("x", b"mine")
