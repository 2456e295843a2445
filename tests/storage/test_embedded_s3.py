"""The server keeps its objects, leaves nothing behind, and ends when it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage import AccessError, open_store
from rfmeta_dist.storage.embedded import embedded_s3
from tests.listening import listening, public


def test_a_second_start_serves_the_same_objects_to_new_credentials(tmp_path: Path):
    store = open_store("s3://bucket/prefix")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SESSION_TOKEN", "of another account")
        before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        with embedded_s3(tmp_path) as server:
            server.make_bucket("bucket")
            store.write("object", b"content")
            old = server.environment
        assert {n: v for n, v in os.environ.items() if n.startswith("AWS_")} == before
    assert server.process.returncode is not None
    with embedded_s3(tmp_path) as server:
        server.make_bucket("bucket")
        assert store.read("object") == b"content"
        # Undone before the server's own context ends, or it would leave this secret to the tests that follow.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_SECRET_ACCESS_KEY", old["AWS_SECRET_ACCESS_KEY"])
            with pytest.raises(AccessError):
                store.read("object")


def test_secrets_are_not_shown_or_stored(s3):
    secret = s3.environment["AWS_SECRET_ACCESS_KEY"]
    assert secret not in repr(s3)
    assert secret not in (s3.folder / "weed.log").read_text()
    assert secret not in " ".join(s3.process.args)


def test_other_machines_cannot_reach_it(s3):
    assert len(listening([s3.process.pid])) >= 4
    assert public([s3.process.pid]) == []


def test_a_bad_bucket_name_is_refused(s3):
    with pytest.raises(StorageError, match="InvalidBucketName"):
        s3.make_bucket("x")


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from rfmeta_dist.storage.embedded import embedded_s3\n"
        "with embedded_s3(Path(sys.argv[1])) as server:\n"
        "    print(server.process.pid, flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    # Killed, it cannot clean up: let what it leaves be in a folder that pytest removes.
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as owner:
        pid = int(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
