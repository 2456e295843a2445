"""Every task and every row of the meta-test batch is assigned to a worker exactly once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.episode.assign import WorkSplit, groups, parts_of, shares

LAYOUTS = st.builds(
    WorkSplit,
    world=st.integers(1, 12),
    episodes=st.integers(1, 6),
    tasks=st.integers(1, 7),
    batch=st.sampled_from([2, 4, 10, 20]),
    meta_test=st.sampled_from(["shard", "replicate"]),
    cost=st.integers(1, 4),
    tested=st.booleans(),
)


@given(LAYOUTS)
def test_every_task_of_every_episode_has_exactly_one_worker(work_split):
    parts = [part for rank in range(work_split.world) for part in parts_of(rank, work_split)]
    given_out = sorted((part.episode, task) for part in parts for task in part.tasks)
    assert given_out == [(e, task) for e in range(work_split.episodes) for task in range(work_split.tasks)]
    assert sorted(part.episode for part in parts if part.first) == list(range(work_split.episodes))


@given(LAYOUTS)
def test_shared_rows_cover_the_meta_test_batch_once_and_all_of_a_group_shares_or_none(work_split):
    for team in groups(work_split):
        for e in {part.episode for rank in team for part in parts_of(rank, work_split)}:
            parts = [part for rank in team for part in parts_of(rank, work_split) if part.episode == e]
            assert len({part.shared for part in parts}) == 1
            rows = [row for part in parts for row in part.rows]
            if parts[0].shared:
                assert rows == list(range(work_split.batch))
                assert all(part.rows for part in parts)
            else:
                assert rows == list(range(work_split.batch)) * len(team)


@given(LAYOUTS)
def test_groups_are_consecutive_and_even(work_split):
    teams = groups(work_split)
    assert [rank for team in teams for rank in team] == list(range(work_split.world))
    assert max(map(len, teams)) - min(map(len, teams)) <= 1


@pytest.mark.parametrize("domains", [3, 4, 6])
def test_a_worker_forwards_its_fair_part_of_an_episode(domains):
    """With one worker per pair, each forwards as many images as N/(N − 1) domains have, to within one image."""
    work_split = WorkSplit(domains - 1, 1, domains - 1, 20)
    load = [
        20 * len(part.tasks) + len(part.rows)
        for r in range(work_split.world)
        for part in parts_of(r, work_split)
    ]
    assert max(load) <= 1.02 * 20 * domains / (domains - 1)


def test_rows_go_to_whoever_has_fewer_tasks():
    two_on_three_pairs = WorkSplit(2, 1, 3, 20)
    assert shares(two_on_three_pairs, 2) == [range(0, 1), range(1, 20)]
    a_worker_more_than_pairs = WorkSplit(3, 1, 2, 20)
    assert shares(a_worker_more_than_pairs, 3) == [range(0, 1), range(1, 2), range(2, 20)]
