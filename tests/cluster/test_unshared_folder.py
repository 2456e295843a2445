"""A run's folder that only the driver's machine sees: every worker says so, before it does anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.cluster import judging, worker
from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage import lease

SAYS = (
    r"/far does not exist on machine \d+\.\d+\.\d+\.\d+, .* do not share; set run.folder to a folder that all "
    "machines share, or to s3://"
)


def test_a_worker_without_the_runs_folder_says_so(configure: Any):
    config = configure("far")
    task = worker.Assignment(config, ("",), {}, None, "M", "token", open_folder(config), 1)
    with pytest.raises(StorageError, match=SAYS):
        worker.run({"assignment": task})


@pytest.mark.parametrize("work", [judging.finish, judging.evaluate])
def test_a_machine_that_judges_without_the_runs_folder_says_so(configure: Any, work: Any):
    config = configure("far")
    with pytest.raises(StorageError, match=SAYS):
        worker.judge(work, config, open_folder(config), "token", "cpu")
    assert not Path(open_folder(config).url).exists()


def test_a_machine_does_not_judge_a_run_that_was_taken_over(configure: Any):
    config = configure("judged-elsewhere")
    folder = open_folder(config)
    with (
        lease.held(folder, "judged"),
        pytest.raises(RunError, match="was taken over by process"),
    ):
        worker.judge(judging.evaluate, config, folder, "former", "cpu")
