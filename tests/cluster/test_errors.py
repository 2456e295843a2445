"""An error of ours, raised anywhere in Ray, reaches the caller as itself; any other becomes one line."""

from __future__ import annotations

import logging
import os
import pickle  # noqa: TID251  what Ray does to errors between its processes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import ray
import ray.data
import ray.train
from ray import tune
from ray.train.torch import TorchTrainer

from rfmeta_dist.cluster.errors import explained, got, ours
from rfmeta_dist.core.errors import ClusterError, RfmetaError, StorageError
from rfmeta_dist.storage.errors import MissingError

pytestmark = pytest.mark.usefixtures("cluster")
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test


class LaterError(MissingError):
    """As somebody may write one some day: another constructor, an attribute, an exit code of its own."""

    exit_code = 41

    def __init__(self, where: str, tries: int, *, asked: list[str]) -> None:
        super().__init__(f"{where} is away after {tries} tries", "ask again; or elsewhere")
        self.asked = asked


def kinds(base: type[RfmetaError] = RfmetaError) -> list[type[RfmetaError]]:
    """The base class and every class below it."""
    return [base, *(kind for below in base.__subclasses__() for kind in kinds(below))]


ERRORS = [
    LaterError("b", 3, asked=["x"]),
    *(kind("p; q", "r; s") for kind in kinds() if kind is not LaterError),
]


def same(found: RfmetaError, raised: RfmetaError) -> bool:
    return (type(found), str(found), vars(found)) == (type(raised), str(raised), vars(raised))


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_every_class_of_ours_survives_pickling_with_its_attributes(error):
    assert same(pickle.loads(pickle.dumps(error)), error)


def fail(error: BaseException) -> None:
    raise error


class Actor:
    def __init__(self, error: BaseException | None = None) -> None:
        if error:
            raise error

    def fail(self, error: BaseException) -> None:
        raise error

    def nested(self, error: BaseException) -> None:
        ray.get(ray.remote(fail).remote(error))

    def pid(self) -> int:
        return os.getpid()


def in_a_task(error: BaseException) -> None:
    got(ray.remote(num_cpus=0, max_retries=0)(fail).remote(error))


def in_an_actor(error: BaseException) -> None:
    got(ray.remote(num_cpus=0)(Actor).remote().fail.remote(error))


def in_a_task_of_an_actor(error: BaseException) -> None:
    got(ray.remote(num_cpus=0)(Actor).remote().nested.remote(error))


def streaming(error: BaseException) -> Iterator[int]:
    yield 1
    raise error


def in_a_stream(error: BaseException) -> None:
    stream = ray.remote(num_cpus=0, num_returns="streaming", max_retries=0)(streaming).remote(error)
    for reference in stream:
        got(reference)


def as_ingest_does() -> None:
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.data.DataContext.get_current().raise_original_map_exception = True


def in_a_stage_of_ray_data(error: BaseException) -> None:
    as_ingest_does()
    with explained():
        ray.data.from_items([1]).map(lambda row: fail(error) or row).materialize()


class Stage:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        raise self._error


def in_an_actor_of_ray_data(error: BaseException) -> None:
    as_ingest_does()
    pool = ray.data.ActorPoolStrategy(size=1)
    with explained():
        # Without a CPU: such an actor lives for as long as the error is kept, as pytest keeps it.
        items = ray.data.from_items([1])
        items.map(Stage, fn_constructor_args=(error,), compute=pool, num_cpus=0).materialize()


QUICK = [
    in_a_task,
    in_an_actor,
    in_a_task_of_an_actor,
    in_a_stream,
    in_a_stage_of_ray_data,
    in_an_actor_of_ray_data,
]


@pytest.mark.parametrize("place", QUICK, ids=lambda f: f.__name__)
def test_an_error_of_ours_reaches_the_driver_as_itself(place: Callable[[BaseException], None]):
    raised = ERRORS[0]
    with pytest.raises(RfmetaError) as found:
        place(raised)
    assert same(found.value, raised)


@pytest.mark.parametrize("place", QUICK[-2:], ids=lambda f: f.__name__)
def test_a_foreign_error_becomes_one_line(place):
    with pytest.raises(ClusterError) as found:
        place(ValueError("seven is\nno number"))
    assert found.value.problem == "ValueError: seven is"


def train(config: dict[str, Any]) -> None:
    raise config["error"]


@pytest.mark.drill  # test_lanes.py has an error of a training worker in a trial of ours
def test_an_error_of_a_train_worker_in_a_trial_reaches_the_driver_as_itself(tmp_path):
    def trial(given: dict[str, Any]) -> None:
        trainer = TorchTrainer(
            train,
            train_loop_config=given,
            scaling_config=ray.train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
            run_config=ray.train.RunConfig(name="t", storage_path=str(tmp_path / "train")),
        )
        with pytest.raises(RfmetaError) as found, explained():
            trainer.fit()
        tune.report({"caught": type(found.value).__name__})
        raise found.value

    where = tune.RunConfig(storage_path=str(tmp_path / "tune"), verbose=0)
    nothing = tune.PlacementGroupFactory([{"node:__internal_head__": 0.001}])
    tuner = tune.Tuner(tune.with_resources(trial, nothing), param_space={"error": ERRORS[0]}, run_config=where)
    (result,) = tuner.fit()
    assert result.metrics["caught"] == "LaterError"
    assert same(ours(result.error), ERRORS[0])


def lookup(error: RfmetaError) -> None:
    try:
        raise error
    except RfmetaError as cause:
        raise RuntimeError("wrapped by some library") from cause


def stumble(error: RfmetaError) -> None:
    try:
        raise error
    except RfmetaError:
        {}["key"]


def locked(error: RfmetaError) -> None:
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    raise error


def test_errors_that_ray_keeps_as_text_alone_keep_class_and_words():
    raised = MissingError("bucket b is not there", "make it; or name another")
    constructed = ray.remote(num_cpus=0)(Actor).remote(raised).pid
    for wrapped in (constructed, *(ray.remote(num_cpus=0, max_retries=0)(f) for f in (lookup, locked))):
        with pytest.raises(MissingError) as found:
            got(wrapped.remote(*([] if wrapped is constructed else [raised])))
        assert str(found.value) == str(raised)


def test_an_error_that_was_dealt_with_does_not_hide_the_one_that_was_not():
    with pytest.raises(ray.exceptions.RayError) as found:
        got(ray.remote(num_cpus=0, max_retries=0)(stumble).remote(MissingError("optional", "none")))
    assert str(ours(found.value, "the run failed")).startswith(
        "the run failed: KeyError: 'key'; give the same command again"
    )


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(28, "No space left on device"), StorageError, "No space left on device"),
        (FileNotFoundError(2, "No such file or directory", "/d/x"), StorageError, "'/d/x'"),
        (ConnectionResetError("by peer"), ClusterError, "ConnectionResetError: by peer"),
        (RuntimeError("x" * 9999), ClusterError, "RuntimeError: xxx"),
        (KeyError(), ClusterError, "KeyError"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_foreign_errors_of_tasks_are_named_by_their_innermost_cause(error, kind, words):
    with pytest.raises(ray.exceptions.RayError) as found:
        in_a_task(error)
    shown = ours(found.value)
    assert type(shown) is kind
    assert words in shown.problem
    assert "\n" not in shown.problem
    assert len(shown.problem) < 500


def test_a_killed_actor_or_task_is_told_in_words():
    actor = ray.remote(num_cpus=0, max_restarts=0)(Actor).remote()
    os.kill(got(actor.pid.remote()), signal.SIGKILL)
    suicide = ray.remote(num_cpus=0, max_retries=0)(lambda: os.kill(os.getpid(), signal.SIGKILL))
    for reference in (actor.pid.remote(), suicide.remote()):
        with pytest.raises(ray.exceptions.RayError) as found:
            got(reference)
        shown = ours(found.value)
        assert "a process of the cluster ended unexpectedly" in shown.problem
        assert "training.workers lower, then give the same command again" in shown.remedy
        assert shown.exit_code == ClusterError.exit_code


def test_an_error_of_a_class_that_this_version_lacks_is_told_in_words():
    text = "traceback\nrfmeta_dist.gone.OldError: it broke; mend it"
    error = ours(ray.exceptions.RayTaskError("f", text, RuntimeError("x")), "training failed")
    assert isinstance(error, ClusterError)
    assert error.problem.startswith("training failed: ")
