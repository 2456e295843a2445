"""Train challengers of one champion that differ in their seeds alone, and print the gate's verdict on each.

python -m bench.retraining retrain.yaml --seeds 10 --out runs/seeds
python -m bench.retraining retrain.yaml --seeds 3 --start afresh --out runs/seeds

The champion is that of the retraining's registry, which is not changed: nothing is registered or promoted. Each
challenger is an attempt of its own below --out, so what was done is kept if the command is given again.
"""

from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rfmeta_dist.cluster.retrain import Doing, work
from rfmeta_dist.config.retrain import Retraining, load_retraining
from rfmeta_dist.retrain import attempts, opening, watch
from rfmeta_dist.retrain.attempts import Attempt
from rfmeta_dist.retrain.pairs import Pairs
from rfmeta_dist.retrain.registering import PAIRS, VERDICT
from rfmeta_dist.storage.store import open_store


def main() -> None:
    """Read the command line, train the challengers that are missing, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.retraining", description=__doc__.splitlines()[0])
    parser.add_argument("retraining", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--start", choices=["champion", "afresh"], default="champion")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for seed in range(1, given.seeds + 1):
        config = load_retraining(
            given.retraining,
            [
                f"challenger.start={given.start}",
                f"base.training.seed={seed}",
                f"name={given.start}-{seed}",
                f"folder={given.out.absolute()}",
                "promotion=approve",
            ],
        )
        rows.append(row(seed, challenged(config, load_retraining(given.retraining))))
        print(json.dumps(rows[-1]), flush=True)
    (given.out / f"{given.start}.json").write_text(json.dumps(rows, indent=1) + "\n")


def challenged(config: Retraining, of: Retraining) -> Attempt:
    """Train and judge one challenger.

    Args:
        config: the retraining of this seed, in a folder of its own.
        of: the retraining whose champion is challenged.
    """
    store = open_store(config.place)
    found = attempts.attempts(store)
    if not found:
        champion = opening.see(of).champion
        decision = watch.decide(config, watch.see(config, champion, (), ""), forced=True)
        assert decision.asked is not None
        found = [attempts.begin(store, decision.asked, decision.known)]
    work(config, found[0], Doing(tell=lambda _: None, display=lambda: nullcontext(lambda _: None)))
    return found[0]


def row(seed: int, attempt: Attempt) -> dict[str, Any]:
    """Return the verdict on a challenger, and how often it and the champion disagree on the frozen videos."""
    verdict = attempt.read(VERDICT) or {}
    pairs = Pairs.from_parquet(attempt.folder.read(PAIRS))
    frozen = pairs.select(pairs.part == "frozen")
    champion, challenger = frozen.champion >= frozen.thresholds[0], frozen.challenger >= frozen.thresholds[1]
    disagree = champion != challenger
    return {
        "seed": seed,
        "decision": verdict.get("decision"),
        "disagreement": {
            kind: round(float(disagree[frozen.attack_type == kind].mean()), 4)
            for kind in sorted(set(frozen.attack_type.tolist()))
        },
        "rates": verdict.get("rates"),
        "pairs": f"{attempt.folder.url}/{PAIRS}",
    }


if __name__ == "__main__":
    main()
