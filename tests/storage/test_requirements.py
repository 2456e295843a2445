"""A store that lacks put-if-absent is found before work starts, and the user is told."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage import AccessError, Store, open_store
from rfmeta_dist.storage.requirements import require_put_if_absent
from tests.s3server import Reply, Request, Server, serving
from tests.samples import make_samples


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The module's server, as new."""
    running.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setattr("rfmeta_dist.storage.s3.time.sleep", lambda _: None)
    return running


@pytest.fixture
def place() -> str:
    """A prefix that has not been tried yet."""
    return f"s3://faces/{uuid4().hex}"


def pack_some(store: Store) -> None:
    pack(make_samples("A", {"train": (2, 2), "validation": (2, 2)}), store, "A", contract={})


def refuse(status: int, code: str, message: str):
    def judge(request: Request) -> Reply | None:
        return Reply(status, code, message) if "if-none-match" in request.headers else None

    return judge


@pytest.mark.parametrize(
    "reply",
    [
        (501, "NotImplemented", "A header you provided implies functionality that is not implemented"),
        (400, "InvalidArgument", "unknown header"),
        (400, "InvalidRequest", "Conditional writes need another storage class"),
        (403, "SignatureDoesNotMatch", "A header was not signed"),
    ],
)
def test_a_store_that_refuses_the_condition_is_found_before_the_work(server, place, reply):
    server.refuse = refuse(*reply)
    with pytest.raises(StorageError, match="lacks put-if-absent") as caught:
        pack_some(open_store(place))
    assert reply[1] in caught.value.problem  # the store's own words
    assert server.count("PUT") == 2
    assert server.objects == {}


def test_a_store_that_ignores_the_condition_is_found_before_the_work(server, place):
    server.conditional = False
    with pytest.raises(StorageError, match="overwrites"):
        pack_some(open_store(place))
    assert server.count("PUT") == 2
    assert server.objects == {}


def test_a_sound_store_is_tried_once_and_keeps_nothing_of_it(server, place):
    store = open_store(place)
    require_put_if_absent(store)
    require_put_if_absent(store)
    assert [request.method for request in server.requests] == ["PUT", "PUT", "DELETE"]
    assert server.objects == {}


def test_what_refuses_every_write_is_not_taken_for_a_refused_condition(server, place):
    server.refuse = lambda request: Reply(403, "AccessDenied", "no") if request.method == "PUT" else None
    with pytest.raises(AccessError, match=r"access denied \(AccessDenied: no\)"):
        require_put_if_absent(open_store(place))


def test_a_disk_without_hard_links_is_found_before_the_work(tmp_path: Path, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StorageError, match="no hard links") as caught:
        pack_some(open_store(str(tmp_path)))
    assert "another disk" in caught.value.remedy
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_run_does_not_take_its_folder_where_another_could_take_it_too(server):
    from rfmeta_dist.config import load as configuration
    from rfmeta_dist.runs.folder import claim

    plain = {"run": {"name": "r"}, "data": {"prefix": "s3://faces/demo", "sources": ["A", "B"], "target": "D"}}
    server.conditional = False
    with pytest.raises(StorageError, match="put-if-absent"):
        claim(open_store("s3://faces/runs/r"), configuration.check(plain, "test"))
    assert server.objects == {}
