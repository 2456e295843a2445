"""How long a run waits for its workers' slots, and whose slots it says it is waiting for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group

from rfmeta_dist.cluster import fit, room
from rfmeta_dist.cluster.session import session
from rfmeta_dist.core.errors import ClusterError

pytestmark = pytest.mark.usefixtures("cluster")


@contextmanager
def asked_for(count: int, name: str = "") -> Iterator[None]:
    """Slots of this job, which come if there are as many."""
    group = placement_group([{"CPU": 1}] * count, name=name)
    try:
        yield
    finally:
        remove_placement_group(group)


OTHER_JOB = """
import sys, ray
from ray.util.placement_group import placement_group
ray.init(address=sys.argv[1], log_to_driver=False)
group = placement_group([{"CPU": 1}] * 9)
print("asked", flush=True)
sys.stdin.read()
"""


@contextmanager
def asked_for_by_another_job() -> Iterator[None]:
    command = [sys.executable, "-c", OTHER_JOB, ray.get_runtime_context().gcs_address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert "asked\n" in iter(job.stdout.readline, "")
        yield
        assert job.stdin is not None
        job.stdin.close()


def said_meanwhile(config: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a run of this configuration says within two seconds of waiting."""
    monkeypatch.setattr(fit, "PATIENT_S", 0.2)
    monkeypatch.setattr(fit, "LOOK_S", 0.2)
    said: list[str] = []
    with fit.waiting(config, said.append):
        time.sleep(2)
    return said


@pytest.mark.drill
def test_a_run_says_that_it_waits_for_its_own_slots_alone(configure: Any, monkeypatch: pytest.MonkeyPatch):
    config = configure("nine", workers=9, episodes=3)
    with asked_for(9):
        (line,) = said_meanwhile(config, monkeypatch)
    assert line.startswith("waiting for 1 of 9 workers: the cluster has 8 free slot(s) of 1 CPU; the run ends")
    with asked_for(9, "rfmeta-room-test"):  # what room.py asks for to see if there is room
        assert said_meanwhile(config, monkeypatch) == []
    with asked_for_by_another_job():
        assert said_meanwhile(config, monkeypatch) == []


def test_room_for_training_is_waited_for_no_longer_than_asked(configure: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "PATIENCE_S", 1)
    said: list[str] = []
    with asked_for(7):
        started = time.monotonic()
        with pytest.raises(ClusterError) as found:
            room.wait_for_room(room.for_training(configure("late")), said.append, 3)
    assert 3 <= time.monotonic() - started < 20
    assert "late waited 3 s for 1 of 2 workers: the cluster has 1 free slot(s) of 1 CPU" in found.value.problem
    assert "training.wait_s higher" in found.value.remedy
    (line,) = said
    assert line.startswith("waiting for 2 process(es) with 1 CPU each, which training of late needs: ")
    assert line.endswith("; the wait ends after 3 s")
    with asked_for(6):
        room.wait_for_room(
            room.for_training(configure("soon")), said.append, 20
        )  # nothing is left of the first


def test_a_process_can_use_one_cluster_alone():
    here = ray.get_runtime_context().gcs_address
    with session(address=here) as ours:
        assert not ours
    with (
        pytest.raises(ClusterError, match=f"at 127.0.0.1:1: this process is connected to the one at {here}"),
        session(address="127.0.0.1:1"),
    ):
        pass
