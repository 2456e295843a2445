"""The job's credentials cannot promote, those of who approves can: two identities on a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.retrain.promotion import champion
from rfmeta_dist.storage import embedded
from rfmeta_dist.storage.embedded import EmbeddedS3, embedded_s3
from rfmeta_dist.storage.errors import AccessError
from rfmeta_dist.storage.store import open_store
from tests.conftest import Ending
from tests.retrain.judged import BETTER, Judged

# What each may, as SeaweedFS writes it. AWS has the same as policies (docs/how-to/registry.md).
JOB = ["Read:models", "List:models", "Write:models/retrain/*"]
APPROVER = ["Read:models", "List:models", "Write:models/registry/*"]


@dataclass(frozen=True)
class Site:
    """A server, with the variables of each identity."""

    server: EmbeddedS3
    job: Mapping[str, str]
    approver: Mapping[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a server of our own, which knows the job and the approver too."""
    written = embedded._write_identity

    def with_more(path: Path, key: str, secret: str) -> None:
        written(path, key, secret)
        known = json.loads(path.read_text())
        for name, actions in (("job", JOB), ("approver", APPROVER)):
            keys = {"accessKey": f"{name}key", "secretKey": f"{name}secret"}
            known["identities"].append({"name": name, "credentials": [keys], "actions": actions})
        path.write_text(json.dumps(known))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "_write_identity", with_more)
        with embedded_s3(tmp_path_factory.mktemp("s3")) as server:
            server.make_bucket("models")
            named = [
                {"AWS_ACCESS_KEY_ID": f"{name}key", "AWS_SECRET_ACCESS_KEY": f"{name}secret"}
                for name in ("job", "approver")
            ]
            yield Site(server, *named)


@contextmanager
def acting(identity: Mapping[str, str]) -> Iterator[None]:
    """Use the credentials of an identity."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in identity.items():
            patch.setenv(name, value)
        yield


def test_the_job_writes_what_it_made_and_only_the_approver_promotes(
    site: Site, tmp_path: Path, rfmeta: Callable[..., Ending]
) -> None:
    def run(identity: Mapping[str, str], *arguments: object) -> Ending:
        with acting(identity):
            return rfmeta("models", *arguments)

    where: dict[str, Any] = {
        "folder": "s3://models/retrain",
        "registry": {"place": "s3://models/registry/shop"},
        "promotion": "approve",
    }
    shop = Judged(tmp_path, **where)
    registry = open_store("s3://models/registry/shop")
    for number in (1, 2):
        with acting(site.job):
            waiting = shop.attempt(BETTER)  # the job writes package, scores and verdict
            for write in (
                lambda: registry.write("promotion.json", b"{}"),
                lambda: registry.create("audit/000099.json", b"{}"),
                lambda: registry.delete("promotion.json"),
            ):
                with pytest.raises(AccessError):
                    write()
        before = registry.list()
        for command in (["promote"], ["promote", "--anyway", "--reason", "I am the job"]):
            refused = run(site.job, command[0], shop.file, *command[1:])
            assert refused.code == 4, refused.err
            assert "these credentials may not promote or roll back: s3://models/registry/shop" in refused.error
            assert "use credentials that may read, list, write and delete there" in refused.error
        assert registry.list() == before

        assert waiting.folder.url in run(site.approver, "ls", shop.file).err
        allowed = run(site.approver, "promote", shop.file, "--json")
        assert allowed.code == 0, allowed.err
        assert json.loads(allowed.out)["champion"] == number
        found = champion(registry)
        assert found is not None
        assert found.number == number
        with acting(site.job):
            assert champion(registry) == found  # the job reads who is champion

    refused = run(site.job, "rollback", shop.file, "--reason", "I am the job")
    assert (refused.code, "may not promote or roll back" in refused.error) == (4, True)
    with acting(site.approver), pytest.raises(StorageError):
        waiting.folder.write("verdict.json", b"{}")  # who approves cannot change the evidence
    assert run(site.approver, "rollback", shop.file, "--reason", "complaints").code == 0
    found = champion(registry)
    assert found is not None
    assert found.number == 1
