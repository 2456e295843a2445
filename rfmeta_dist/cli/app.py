"""Build the tree of commands, and say in which panel of `rfmeta --help` each command is listed."""

from __future__ import annotations

import typer

from rfmeta_dist.cli import (
    batches,
    compare,
    demo,
    doctor,
    example,
    explain,
    export,
    ingest,
    init,
    jobs,
    judge,
    leave_one_out,
    manifests,
    metrics,
    models,
    probe,
    retrain,
    run,
    s3,
    score,
    serve,
    shards,
    submit,
    synth,
    threshold,
    tune,
    tune_show,
    verify,
    videos,
)
from rfmeta_dist.cli.root import Root, root

app = typer.Typer(
    name="rfmeta",
    cls=Root,
    help="Train face anti-spoofing detectors that also work on domains they were not trained on.",
    no_args_is_help=True,
    add_completion=True,  # --install-completion and --show-completion
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.callback()(root)

DATA, RUNS, CLUSTER, PROOF = "Data", "Runs", "Cluster", "First steps and checks"
DEPLOYMENT = "Deployment"
app.command(rich_help_panel=PROOF, epilog=init.EXAMPLES)(init.init)
app.command(rich_help_panel=PROOF, epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(rich_help_panel=PROOF, epilog=demo.EXAMPLES)(demo.demo)
app.command(rich_help_panel=PROOF, epilog=example.EXAMPLES)(example.example)
app.command(rich_help_panel=PROOF, epilog=verify.EXAMPLES)(verify.verify)
synth.app.command(epilog=videos.EXAMPLES)(videos.videos)
synth.app.command(epilog=probe.EXAMPLES)(probe.probe)
app.add_typer(synth.app, name="synth", rich_help_panel=DATA, epilog=synth.EXAMPLES)
app.command(rich_help_panel=DATA, epilog=ingest.EXAMPLES)(ingest.ingest)
app.add_typer(ingest.faces_app, name="faces", rich_help_panel=DATA)
shards.app.command(epilog=batches.LIST_EXAMPLES)(batches.batches)
shards.app.command(epilog=batches.REVIEW_EXAMPLES)(batches.review)
shards.app.command(epilog=batches.RETRACT_EXAMPLES)(batches.retract)
app.add_typer(shards.app, name="shards", rich_help_panel=DATA)
app.command(rich_help_panel=DATA, epilog=s3.EXAMPLES)(s3.s3)
app.command(rich_help_panel=RUNS, epilog=run.TRAIN_EXAMPLES)(run.train)
app.command(rich_help_panel=RUNS, epilog=run.EVALUATE_EXAMPLES)(run.evaluate)
app.command(rich_help_panel=RUNS, epilog=run.REPORT_EXAMPLES)(run.report)
app.command(rich_help_panel=RUNS, epilog=explain.EXAMPLES)(explain.explain)
app.command(rich_help_panel=RUNS, epilog=compare.EXAMPLES)(compare.compare)
app.command(rich_help_panel=RUNS, epilog=threshold.EXAMPLES)(threshold.threshold)
app.command(rich_help_panel=RUNS, epilog=judge.EXAMPLES)(judge.judge)
for name, hidden in (("leave-one-out", False), ("loo", True)):  # the second is short for the first
    command = app.command(name, rich_help_panel=CLUSTER, epilog=leave_one_out.EXAMPLES, hidden=hidden)
    command(leave_one_out.leave_one_out)
tune.app.command("show", epilog=tune_show.EXAMPLES)(tune_show.show_study)
app.add_typer(tune.app, name="tune", rich_help_panel=CLUSTER)
app.command(rich_help_panel=CLUSTER, epilog=retrain.EXAMPLES)(retrain.retrain)
app.add_typer(models.app, name="models", rich_help_panel=DEPLOYMENT)
app.command(rich_help_panel=CLUSTER, epilog=submit.EXAMPLES, cls=submit.Splitting)(submit.submit)
app.command(rich_help_panel=CLUSTER, epilog=metrics.EXAMPLES)(metrics.metrics)
app.add_typer(jobs.app, name="jobs", rich_help_panel=CLUSTER)
app.command(rich_help_panel=CLUSTER, epilog=manifests.EXAMPLES)(manifests.manifests)
app.command(rich_help_panel=DEPLOYMENT, epilog=export.EXAMPLES)(export.export)
app.command(rich_help_panel=DEPLOYMENT, epilog=score.EXAMPLES)(score.score)
app.command(rich_help_panel=DEPLOYMENT, epilog=serve.EXAMPLES)(serve.serve)
