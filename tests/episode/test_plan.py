"""Together, the workers of a step need exactly the batches of its episodes."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import RULES as METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.episode.plan import plan


def configuration(sources: int, domains: int | None, method: str = "rfmeta", **training) -> Config:
    names = [f"D{number}" for number in range(sources)]
    return check(
        {
            "run": {"name": "r"},
            "data": {"prefix": "x", "sources": names, "target": "T", "batch": 6},
            "method": {"name": method},
            "episode": {"domains": domains},
            "training": {"workers": 1, **training},
        },
        "test",
    )


@st.composite
def configurations(draw) -> Config:
    sources, episodes = draw(st.integers(2, 9)), draw(st.integers(1, 3))
    domains, method = draw(st.integers(2, sources)), draw(st.sampled_from(list(METHODS)))
    most = METHODS[method].most_workers(domains, "shard") * episodes
    workers, seed = draw(st.integers(1, min(most, 6))), draw(st.integers(0, 99))
    return configuration(sources, domains, method, episodes=episodes, workers=workers, seed=seed)


@given(configurations(), st.integers(1, 12))
def test_all_workers_together_ask_for_each_batch_of_a_domain_in_order_and_whole(config, steps):
    asked = defaultdict(lambda: defaultdict(set))
    for step in range(steps):
        before = {domain: len(batches) for domain, batches in asked.items()}
        for rank in range(config.training.workers):
            for need in (need for needs in plan(config, rank, step).needs for need in needs if need):
                assert need.index >= before.get(need.domain, 0)
                asked[need.domain][need.index].update(need.rows)
    for batches in asked.values():
        assert sorted(batches) == list(range(len(batches)))
        assert all(rows == set(range(6)) for rows in batches.values())
    used = sum(len(batches) for batches in asked.values())
    assert used == steps * config.training.episodes * config.episode_domains


@given(configurations(), st.integers(0, 1000))
def test_every_worker_sees_the_same_domains(config, step):
    plans = [plan(config, rank, step) for rank in range(config.training.workers)]
    assert len({(p.domains, p.meta_test) for p in plans}) == 1
    orders = [order.split("&") for order in plans[0].domains.split(",")]
    assert [order[-1] for order in orders] == plans[0].meta_test.split(",")
    assert all(len(set(order)) == config.episode_domains for order in orders)


def test_as_many_domains_as_there_are_is_the_same_as_none_given():
    for step in range(20):
        assert plan(configuration(3, 3), 0, step) == plan(configuration(3, None), 0, step)


@pytest.mark.parametrize(
    ("domains", "training", "words"),
    [
        (6, {}, "episode.domains=6, but data.sources names 5 domains; set episode.domains to 5 or less"),
        (1, {}, "episode.domains=1"),
        (3, {"workers": 4}, "rfmeta on 3 of 5 source domains has work for at most 3 worker"),
    ],
)
def test_a_number_of_domains_that_cannot_be_is_refused(domains, training, words):
    with pytest.raises(ConfigError) as caught:
        configuration(5, domains, **training)
    assert words in str(caught.value)
