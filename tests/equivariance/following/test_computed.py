"""What is computed from constants alone: once, when asked for, and without changing what it is computed from."""

from typing import Any

import torch

from equivariance.following.computed import Computed, scattered
from equivariance.following.recording import Constant

aten = torch.ops.aten


def constant(*numbers: float) -> Constant:
    tensor = torch.tensor(numbers)
    return Constant(tensor.shape, lambda: tensor)


def test_outputs_are_those_of_the_operation() -> None:
    found = Computed(aten.add.Tensor, (constant(1, 2), constant(3, 4)), {"alpha": 2})
    assert found.maker(0)().tolist() == found.output(0).tolist() == [7, 10]
    largest = Computed(aten.max.dim, (constant(1, 5, 2), 0), {})
    assert (largest.output(0).item(), largest.output(1).item()) == (5, 1)


def test_an_operation_runs_once_and_only_when_it_is_asked_for() -> None:
    calls = []

    def make() -> torch.Tensor:
        calls.append(1)
        return torch.ones(2)

    found = Computed(aten.neg.default, (Constant((2,), make),), {})
    assert calls == []
    assert found.output(0) is found.output(0) and calls == [1]


def test_a_write_changes_neither_the_constant_nor_what_else_is_given() -> None:
    written, other = constant(1, 2), constant(3, 4)
    assert Computed(aten.add_.Tensor, (written, other), {}).output(0).tolist() == [4, 6]
    assert written.value().tolist() == [1, 2] and other.value().tolist() == [3, 4]


def test_what_is_not_written_to_is_given_as_it_is() -> None:
    """A copy of a large constant costs memory."""
    given: list[Any] = []

    class Watched:
        _schema = aten.add_.Tensor._schema

        def __call__(self, *args: Any) -> torch.Tensor:
            given.extend(args)
            return torch.zeros(1)

    one, other = constant(1), constant(2)
    Computed(Watched(), (one, other), {}).output(0)
    assert given[0] is not one.value() and given[1] is other.value()


def test_memory_that_nobody_wrote_is_zero_where_it_is_asked_for() -> None:
    full = Computed(aten.full.default, ([2], 7.0), {}, blank=True)
    assert full.output(0).tolist() == [0, 0]
    assert Computed(aten.full.default, ([2], 7.0), {}).output(0).tolist() == [7, 7]


def test_tensors_are_made_on_the_processor_whatever_the_network_was_recorded_on() -> None:
    made = Computed(aten.ones.default, ([2],), {"device": torch.device("meta")})
    assert made.output(0).tolist() == [1, 1]


def test_a_part_is_put_back_through_the_views_that_it_was_taken_by() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    chain = [(aten.t.default, (base,), {}, 0), (aten.split.Tensor, (base, 2), {}, 1)]
    found = scattered(base, torch.tensor([[10.0, 20.0]]), chain)
    assert found.tolist() == [[0, 1, 10], [3, 4, 20]] and base[0, 2] == 2
