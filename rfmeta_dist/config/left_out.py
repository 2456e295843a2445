"""Name the fields that the trained weights do not depend on. They may change between two starts of a run."""

from __future__ import annotations

# With other values of these, the result is the same up to the order of summation.
HARDWARE = (
    "workers",
    "strategy",
    "zero",
    "offload",
    "meta_test",
    "activation_checkpointing",
    "threads",
    "gpus",
    "deterministic",
    "restarts",
    "wait_s",
)
# Places of data and results, the target, the hardware, and where figures are shown.
LEFT_OUT = {
    "data": ("prefix", "target", "cache_gb"),
    "training": (*HARDWARE, "checkpoint_every", "keep"),
    "tracking": ("mlflow", "experiment", "tensorboard"),
}
