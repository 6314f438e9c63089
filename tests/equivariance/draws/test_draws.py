"""What may never happen, on networks drawn from all classes of operations."""

import itertools
import warnings
from collections import Counter
from collections.abc import Iterator

import pytest
import torch

from equivariance.theory import program
from tests.equivariance.draws import judged as judging
from tests.equivariance.draws.judged import Judged, judged, table_of
from tests.equivariance.draws.own_group import GROUPS, act, channels_moved, expanded, lifted, table
from tests.equivariance.draws.programs import draw
from tests.equivariance.draws.tools import HEADS, KINDS
from tests.equivariance.draws.truth import Truth, pictures_of, truth_of

SHORT, FULL, AT_ONCE = 300, 10_000, 500


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nearest exact sizes are looked for near by: each has to be recorded, and is then held against the truth."""
    monkeypatch.setattr(program, "SEARCH_PX", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own words on odd arguments
        yield
    torch.set_num_threads(threads)


def _must_be_clean(found: list[Judged]) -> None:
    faults = [f"draw {each.seed}: {fault}" for each in found for fault in (*each.faults, *each.false_proofs)]
    assert not faults, "\n".join(faults) + "\n" + table_of(found)


@pytest.mark.parametrize("first", range(0, SHORT, 100))
def test_no_draw_shows_what_may_never_happen(first: int) -> None:
    _must_be_clean([judged(seed) for seed in range(first, first + 100)])


@pytest.mark.full
@pytest.mark.parametrize("first", range(SHORT, FULL, AT_ONCE))
def test_no_draw_of_ten_thousand_shows_what_may_never_happen(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "SEARCH_PX", 4)
    found = [judged(seed) for seed in range(first, min(first + AT_ONCE, FULL))]
    print(table_of(found))
    _must_be_clean(found)


def test_most_draws_are_decided_by_theory_and_measurement() -> None:
    answers = Counter(judged(seed).answer for seed in range(30))
    assert answers[judging.RIGHT] > 15


# ------------------------------------------------------------------------------------------------ the draws themselves


def test_a_seed_gives_the_same_network_and_another_number_other_weights() -> None:
    for seed in range(20):
        one, same, other = draw(seed), draw(seed), draw(seed, 1)
        assert one.used == same.used == other.used
        for first, second in zip(one.network.state_dict().values(), same.network.state_dict().values(), strict=True):
            assert torch.equal(first, second)


def test_every_class_of_operations_and_every_group_is_drawn() -> None:
    drawn = [draw(seed) for seed in range(600)]
    assert {name for each in drawn for name in each.used} == {kind.name for kind in (*KINDS, *HEADS)}
    assert {each.group for each in drawn} == set(GROUPS)
    assert {each.hw[0] == each.hw[1] for each in drawn} == {True, False}
    assert {each.network.style for each in drawn} == {"one", "tuple", "dict"}


def test_draws_are_exact_and_broken() -> None:
    found = [draw(seed) for seed in range(60)]
    truths = [truth_of(each.network, pictures_of(each.channels, each.hw, 2), each.group, each.kinds) for each in found]
    exact = sum(all(map(truth.is_exact, truth.errors)) for truth in truths)
    broken = sum(any(map(truth.is_broken, truth.errors)) for truth in truths)
    assert exact > 10 and broken > 10


# ------------------------------------------------------------------------------------------------------ the own groups


@pytest.mark.parametrize("group", GROUPS)
def test_the_own_group_convolutions_are_equivariant(group: str) -> None:
    order, numbers = len(GROUPS[group]), torch.Generator().manual_seed(0)
    kernel = torch.randn(2, 3, 3, 3, generator=numbers, dtype=torch.float64)
    second = torch.randn(2, 2, order, 3, 3, generator=numbers, dtype=torch.float64)

    def network(maps: torch.Tensor) -> torch.Tensor:
        first = torch.nn.functional.conv2d(maps, lifted(kernel, group).flatten(0, 1)).relu()
        return torch.nn.functional.conv2d(first, expanded(second, group).flatten(0, 1).flatten(1, 2))

    picture = torch.rand(1, 3, 9, 9, generator=numbers, dtype=torch.float64)
    for move in GROUPS[group]:
        expected = channels_moved(act(network(picture), move), group, move, "field")
        torch.testing.assert_close(network(act(picture, move)), expected)


@pytest.mark.parametrize("group", GROUPS)
def test_the_own_tables_are_those_of_groups(group: str) -> None:
    times = table(group)
    everything = list(range(len(times)))
    assert times[0] == everything
    assert all(sorted(row) == everything for row in times)
    for a, b, c in itertools.product(everything, repeat=3):
        assert times[times[a][b]][c] == times[a][times[b][c]]


# --------------------------------------------------------------------------------------- the checker fails when it must


def test_a_false_proof_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = next(each for each in range(100) if judged(each).verdict == "exact")
    elements = judging.name_of_all(draw(seed).group)
    lie = Truth(dict.fromkeys(elements, 0.5), False, dict.fromkeys(elements, 1.0))
    monkeypatch.setattr(judging, "truth_of", lambda *arguments: lie)
    found = judged(seed)
    assert found.faults and found.false_proofs


def test_a_false_alarm_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = next(each for each in range(100) if judged(each).verdict == "not equivariant")
    elements = judging.name_of_all(draw(seed).group)
    lie = Truth(dict.fromkeys(elements, 0.0), False, dict.fromkeys(elements, 0.0))
    monkeypatch.setattr(judging, "truth_of", lambda *arguments: lie)
    assert judged(seed).faults
