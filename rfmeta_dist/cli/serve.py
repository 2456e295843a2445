"""`rfmeta serve`: answer HTTP requests with the scores of a deployed model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.scored import DeploymentPackage, PackagePoint, open_scorer, say_rule
from rfmeta_dist.cli.terminal import say

if TYPE_CHECKING:
    from rfmeta_dist.deploy.scorer import Scorer

EXAMPLES = """
[bold]Examples[/]

  rfmeta serve deployed/ --threads 4

  curl --data-binary @photo.jpg http://127.0.0.1:8080/score     [dim]# in another terminal[/]

  rfmeta serve deployed/ --host 0.0.0.0 --operating-point bpcer@apcer1

POST /score takes the bytes of one picture and answers with the fields that `rfmeta score --json` prints.
GET /health, /metrics (for Prometheus) and /package answer too. Ctrl-C and SIGTERM end the service after the
pictures in work; the exit code is then 0.
"""


def serve(
    package: DeploymentPackage,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. The default is reached from this machine alone; 0.0.0.0 is all."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8080,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pictures to score at the same time; as many as this process may use CPUs if not given. Eight "
            "more may wait for each.",
            show_default=False,
        ),
    ] = None,
    operating_point: PackagePoint = None,
    upright: Annotated[
        bool,
        typer.Option(
            "--upright",
            help="Say that all pictures are upright. Lying faces are then refused, and pictures with a "
            "doubtful face take a quarter of the time.",
        ),
    ] = False,
    max_body: Annotated[
        int, typer.Option(min=1, max=1024, metavar="MB", help="Largest picture in MiB, as it is sent.")
    ] = 20,
) -> None:
    """Serve a deployed model over HTTP: one picture in, its score and verdict as JSON out.

    Pictures are neither stored nor logged.
    """
    from rfmeta_dist.cli.machine import cores
    from rfmeta_dist.deploy.service.app import build
    from rfmeta_dist.deploy.service.limits import Limits
    from rfmeta_dist.deploy.service.server import is_local, listen, url
    from rfmeta_dist.deploy.service.server import serve as run

    limits = Limits(threads or cores(), max_body << 20)
    scorer = _scorer(package, operating_point, upright)
    app = build(scorer, limits)
    with listen(host, port) as listener:
        if scorer.note:
            say(scorer.note)
        say_rule(scorer, "frame")
        if not is_local(listener):
            say(
                f"{host} is reached from other machines, and this service has no authentication and no TLS: "
                "let a proxy in front of it do both",
                lead="warning",
            )
        where = f"listening on {url(listener)} with {limits.threads} threads; Ctrl-C ends the service"
        answered = run(app, listener, lambda: say(where))
    say(f"ended after {answered:,} requests")


def _scorer(package: str, operating_point: str | None, upright: bool) -> Scorer:
    """Return the model after it has scored once, so that the first request is not slower than others."""
    import numpy as np

    scorer = open_scorer(package, 1, operating_point, upright=upright)
    scorer.score(np.zeros((64, 64, 3), np.uint8))
    return scorer
