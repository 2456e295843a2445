"""Show a run in MLflow: metrics of its steps, figures, parameters and files. The client is mlflow-skinny."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.mlflow_client import SQLITE, mlflow_client
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.runs import starts
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tracking.record import Record, numbers, parameters

MOST = 500  # metrics of a request; MLflow takes 1000
MOST_PARAMETERS = 100
RUN = "rfmeta.run"  # tag with the URL of the run's folder, by which the run is found again
TRACE = "rfmeta.trace"  # tag with the trace ids of all starts of the run
LAST = "rfmeta.last_step"  # tag with the last step whose metrics MLflow has


class MLflow:
    """Shows one run in MLflow.

    Every method raises whatever MLflow raises if its server cannot be reached or refuses something.

    Args:
        config: the run's, whose `tracking.mlflow` is set.
        folder: the run's.
    """

    def __init__(self, config: Config, folder: Store) -> None:
        self._config, self._folder, self._url = config, folder, folder.url
        self.name = f"MLflow at {config.tracking.mlflow}"
        self._client: Any = None
        self._run = ""
        self._last = -1
        self._ended = False

    def show(self, rows: Sequence[StepRow]) -> None:
        """Send the metrics of those steps that MLflow lacks. A resumed training repeats some."""
        client, run = self._opened()
        new = [row for row in rows if row["step"] > self._last]
        if new and self._ended:
            client.update_run(run, status="RUNNING")
            self._ended = False
        for part in _parts(new, MOST // 20):
            values = [(row["step"], numbers(row)) for row in part]
            self._send(client, run, [(name, value, step) for step, of in values for name, value in of.items()])
            self._last = part[-1]["step"]
            client.set_tag(run, LAST, str(self._last))

    def finish(self, record: Record) -> None:
        """Send all that is known of the run. What MLflow has already is not sent twice."""
        self.show(record.rows)
        client, run = self._opened()
        there = client.get_run(run).data.metrics
        changed = {name: value for name, value in record.figures.items() if there.get(name) != value}
        self._send(client, run, [(name, value, record.step) for name, value in changed.items()])
        with tempfile.TemporaryDirectory(prefix="rfmeta-mlflow-") as place:
            for name, data in record.files.items():
                file = Path(place) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            if record.files:
                client.log_artifacts(run, place)
        if found := starts.traces(self._folder):
            client.set_tag(run, TRACE, ", ".join(found))
        client.set_terminated(run, "FINISHED" if record.figures else "FAILED")
        self._ended = True

    def _send(self, client: Any, run: str, values: Sequence[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for part in _parts(values, MOST):
            client.log_batch(run, [Metric(name, value, now, step) for name, value, step in part])

    def _opened(self) -> tuple[Any, str]:
        """Return MLflow's client, and the id of the run, which is made if MLflow has none for this folder."""
        if self._run:
            return self._client, self._run
        tracking = self._config.tracking
        client = mlflow_client(str(tracking.mlflow))
        from mlflow.entities import Param

        experiment = client.get_experiment_by_name(tracking.experiment)
        number = experiment.experiment_id if experiment else self._new_experiment(client)
        quoted = self._url.replace("'", "''")
        found = client.search_runs([number], f"tags.`{RUN}` = '{quoted}'", max_results=1)
        if found:
            self._run, self._last = found[0].info.run_id, int(found[0].data.tags.get(LAST, -1))
            self._ended = found[0].info.status != "RUNNING"
        else:
            name = self._config.run.name
            made = client.create_run(number, run_name=name, tags={RUN: self._url, TRACE: trace_id()})
            given = [Param(key, value[:500]) for key, value in parameters(self._config).items()]
            for part in _parts(given, MOST_PARAMETERS):
                client.log_batch(made.info.run_id, params=part)
            self._run = made.info.run_id
        self._client = client
        return client, self._run

    def _new_experiment(self, client: Any) -> str:
        """Make the experiment. A database on this machine has its files beside it."""
        # MLflow itself would put them into the current folder.
        uri, place = str(self._config.tracking.mlflow), None
        if uri.startswith(SQLITE):
            place = str(Path(uri.removeprefix(SQLITE)).parent / "mlflow-files")
        return str(client.create_experiment(self._config.tracking.experiment, artifact_location=place))


def _parts(values: Any, most: int) -> Iterator[list[Any]]:
    """Yield the values in lists of at most `most`."""
    given = iter(values)
    while part := list(islice(given, most)):
        yield part
