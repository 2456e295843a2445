"""The error for a prefix that is too deep or too high names the right one. S3 consoles' markers are ignored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import Manifest, domains
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.prefix import not_found
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.orphans import clean, orphans
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import open_store
from tests.s3server import Server, serving
from tests.samples import make_samples


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    pack(make_samples("O", {"train": (3, 3)}), open_store(str(folder)), "O", contract={})
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with serving() as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
        yield made


@pytest.fixture(params=["local", "s3"])
def data(request: pytest.FixtureRequest, packed: Path, tmp_path: Path) -> str:
    """Make a place that has the domain O below faces/."""
    if request.param == "local":
        shutil.copytree(packed, tmp_path / "place" / "faces")
        return str(tmp_path / "place")
    objects = request.getfixturevalue("server").objects
    for path in packed.rglob("*"):
        if path.is_file():
            objects[f"bucket/faces/{path.relative_to(packed)}"] = path.read_bytes()
    return "s3://bucket"


def told(place: str, domain: str | None) -> DataError:
    store = open_store(place)
    if domain is None:
        assert domains(store) == []
        return not_found(store)
    with pytest.raises(DataError) as caught:
        Manifest.open(store, domain)
    return caught.value


@pytest.mark.parametrize("domain", [None, "O"])
def test_a_prefix_at_the_wrong_level_is_corrected(data: str, domain: str | None):
    assert domains(open_store(f"{data}/faces")) == ["O"]
    too_deep = told(f"{data}/faces/O", domain)
    assert "itself the folder of a domain, 'O'" in too_deep.problem
    assert f"give {data}/faces, " in too_deep.remedy
    assert "give the folder that contains the domain's folder" in told(f"{data}/faces/O/train", domain).remedy
    assert told(data, domain).remedy == f"give {data}/faces"


def test_several_places_to_look_for_are_named(data: str):
    store = open_store(data)
    for name in store.list("faces"):
        store.write(f"old/{name}", store.read(name))
    assert told(data, None).remedy == f"give {data}/faces or {data}/old/faces"


def test_folder_markers_are_no_objects(server: Server):
    store = open_store("s3://bucket/faces")
    pack(make_samples("O", {"train": (3, 3)}), store, "O", contract={})
    before = store.list()
    for marker in ("", "O/", "O/train/", "O/train/live/", "P/", "O/staging-0/"):
        server.objects[f"bucket/faces/{marker}"] = b""
    server.objects["bucket/"] = b""
    assert store.list() == before
    assert store.sub("P").list() == []
    assert domains(store) == ["O"]
    assert verify(store, "O") == []
    assert orphans(store, "O") == clean(store, "O") == []
    subject = Manifest.open(store, "O").samples["subject_id"].to_pylist()[0]
    forget(store, "O", subject)
    assert verify(store, "O") == []
    assert "bucket/faces/P/" in server.objects  # not ours


def test_a_listing_goes_on_over_all_pages_and_stays_below_its_folder(server: Server):
    server.page = 2
    store = open_store("s3://bucket/faces")
    names = [f"a/{number}" for number in range(5)]
    for name in names:
        store.write(name, b"x")
    server.objects["bucket/faces/ab"] = server.objects["bucket/faces2/a/0"] = b"beside it"
    assert store.list("a") == names
    assert store.sub("a").list() == [str(number) for number in range(5)]
    assert store.list() == [*names, "ab"]
    assert store.list("ab") == []  # an object is no folder
