"""Both registries keep the same promises: numbers, tags and aliases, also if two processes register at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.core.mlflow_client import SQLITE
from rfmeta_dist.retrain.mlflow import MlflowRegistry, require_lasting
from rfmeta_dist.retrain.registry import Registry, Version, find
from rfmeta_dist.retrain.stored import StoreRegistry
from rfmeta_dist.storage.store import open_store
from tests.retrain.processes import ended, forked

BACKENDS = ("folder", "s3", "mlflow", "server")


def new(kind: str, place: str) -> Registry:
    """Open the registry of a kind at a place."""
    return MlflowRegistry(place, "fas") if kind in ("mlflow", "server") else StoreRegistry(open_store(place))


@pytest.fixture(params=BACKENDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "server" and "RFMETA_TEST_MLFLOW" not in os.environ:
        pytest.skip("set RFMETA_TEST_MLFLOW to the URL of a server for tests, such as that of infra/local")
    if name == "s3":
        request.getfixturevalue("s3")
    return name


def emptied(url: str) -> str:
    """Delete the tests' model on a server, and return its URL."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    with suppress(MlflowException):
        MlflowClient(url, url).delete_registered_model("fas")
    return url


@pytest.fixture
def new_place(kind: str, tmp_path: Path) -> str:
    """Return a place where there is nothing; of MLflow's databases not even the folder."""
    if kind == "server":
        return emptied(os.environ["RFMETA_TEST_MLFLOW"])
    places = {"folder": str(tmp_path / "g"), "s3": f"s3://tests/{uuid4().hex}"}
    return places.get(kind, f"{SQLITE}{tmp_path}/new/mlflow.db")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database without a version, to be copied: MLflow needs seconds to make its tables."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    assert new("mlflow", f"{SQLITE}{path}").versions() == []
    return path


@pytest.fixture
def place(kind: str, new_place: str, request: pytest.FixtureRequest) -> str:
    """Return a place without versions."""
    if kind == "mlflow":
        path = Path(new_place.removeprefix(SQLITE))
        path.parent.mkdir()
        shutil.copy(request.getfixturevalue("tables"), path)
    return new_place


def test_numbers_tags_and_aliases(kind: str, place: str) -> None:
    registry = new(kind, place)
    assert registry.versions() == []
    assert registry.alias("champion") is None
    registry.set_alias("champion", None)
    first = registry.register(
        "s3://b/one", {"package": "a" * 64, "batches": '[["O", "card"]]', "identity": "x"}
    )
    second = registry.register("s3://b/two", {"package": "b" * 64, "attempt": "it's here"})
    assert (first.number, second.number) == (1, 2)
    assert registry.register("s3://b/elsewhere", {"package": "a" * 64}) == first
    assert (first.identity, first.batches) == ("x", {("O", "card")})
    assert (second.identity, second.batches) == ("", frozenset())

    registry.tag(2, {"outcome": "promoted", "attempt": "there"})
    registry.set_alias("champion", 1)
    registry.set_alias("champion", 2)
    registry.set_alias("challenger", 1)

    again = new(kind, place)  # nothing is kept in the object
    assert find(again, 1) == first
    tags = {"package": "b" * 64, "attempt": "there", "outcome": "promoted"}
    assert again.versions() == [first, Version(2, "s3://b/two", tags)]
    assert (again.alias("champion"), again.alias("challenger")) == (2, 1)
    again.set_alias("challenger", None)
    assert (registry.alias("champion"), registry.alias("challenger")) == (2, None)


def test_a_version_that_does_not_exist_is_refused(kind: str, place: str) -> None:
    registry = new(kind, place)
    registry.register("s3://b/one", {"package": "a" * 64})
    for refused in (
        lambda: registry.tag(7, {"a": "b"}),
        lambda: registry.set_alias("champion", 7),
        lambda: find(registry, 7),
    ):
        with pytest.raises(RunError, match=r"has no version 7; .*rfmeta models ls"):
            refused()
    assert registry.alias("champion") is None


def test_two_processes_register_at_once(kind: str, new_place: str, tmp_path: Path) -> None:
    """They also make the tables of a new database at once."""
    begin = get_context("fork").Barrier(2)

    def register(who: str) -> None:
        begin.wait()
        registry = new(kind, new_place)
        own = [registry.register(f"s3://b/{who}{n}", {"package": f"{who}{n}"}).number for n in range(5)]
        shared = [registry.register("s3://b/same", {"package": f"same{n}"}).number for n in range(3)]
        (tmp_path / who).write_text(json.dumps([own, shared]))

    assert [ended(child) for child in [forked(register, who) for who in "ab"]] == [0, 0]
    (a, same), (b, equal) = (json.loads((tmp_path / who).read_text()) for who in "ab")
    assert len({*a, *b, *same}) == 13  # each package has a number of its own
    assert same == equal  # and a package that both registered has one
    found = new(kind, new_place).versions()
    assert {one.number for one in found} == {*a, *b, *same}
    assert len({one.tags["package"] for one in found}) == len(found) == 13


def test_the_configuration_chooses_the_registry_and_imports_nothing(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from rfmeta_dist.retrain.registries import open_registry
        from tests.retrain.worlds import retraining
        config = retraining(Path(sys.argv[1]), registry={"mlflow": sys.argv[2] or None})
        place = open_registry(config).place
        assert "mlflow" not in sys.modules and "s3fs" not in sys.modules
        print(place)
    """
    root = Path(__file__).parents[2]
    for address, expected in (
        ("", f"{tmp_path}/retrain/shop/registry"),
        ("https://m.example", "the model shop in MLflow at https://m.example"),
    ):
        command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), address]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        assert done.stdout == f"{expected}\n"


def test_a_server_that_does_not_answer_is_told_in_seconds() -> None:
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"the model fas in MLflow at http://127.0.0.1:9 cannot be used"):
        MlflowRegistry("http://127.0.0.1:9", "fas").versions()
    assert time.monotonic() - began < 30


POD = """\
30 20 0:28 / / rw,relatime - overlay overlay rw,lowerdir=/l
31 30 8:1 /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/tmp /scratch rw - ext4 /dev/sda1 rw
32 30 0:40 / /dev/shm rw - tmpfs shm rw
33 30 8:32 / /data rw,relatime - ext4 /dev/sdc rw
34 30 0:51 / /my\\040files rw - nfs4 server:/share rw
"""


@pytest.mark.parametrize("path", ["/home/ray/mlflow.db", "/scratch/deep/mlflow.db", "/dev/shm/mlflow.db"])
def test_in_a_pod_a_database_on_a_passing_disk_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(StorageError, match=rf"sqlite:///{path} is on a disk that is deleted.*; set registry"):
        require_lasting(Path(path), POD)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    require_lasting(Path(path), POD)


def test_in_a_pod_a_database_on_a_volume_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    for path in ("/data/mlflow.db", "/my files/a/mlflow.db"):
        require_lasting(Path(path), POD)


def test_in_a_pod_the_mounts_of_this_process_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(StorageError, match="deleted with this pod"):
        MlflowRegistry("sqlite:////dev/shm/rfmeta/mlflow.db", "fas").versions()
    assert not Path("/dev/shm/rfmeta").exists()


def test_a_damaged_object_is_named(tmp_path: Path) -> None:
    registry = StoreRegistry(open_store(str(tmp_path)))
    registry.register("s3://b/one", {"package": "a" * 64})
    (tmp_path / "versions/000001.json").write_text('{"number": 1')
    with pytest.raises(StorageError, match=r"versions/000001.json is damaged"):
        registry.versions()
