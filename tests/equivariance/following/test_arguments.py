"""What operations and modules are given, however nested."""

from collections import namedtuple
from typing import Any

import torch

from equivariance.following.arguments import first_tensor, flat, keyed, mapped, plain_tensor, refs_in, written_by
from equivariance.following.recording import Constant, Ref

aten = torch.ops.aten
Pair = namedtuple("Pair", ["one", "other"])


class Typed:
    """As escnn's GeometricTensor is."""

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.type = tensor, "a type"


def test_everything_is_flat_once_it_is_flat() -> None:
    assert list(flat((1, [2, (3, {"a": 4, "b": [5]})], {"c": 6}))) == [1, 2, 3, 4, 5, 6]


def test_typed_tensors_are_taken_for_their_tensors() -> None:
    tensor = torch.ones(2)
    assert plain_tensor(Typed(tensor)) is tensor and plain_tensor(tensor) is tensor
    untyped, empty = Typed(tensor), Typed(None)
    del untyped.type
    assert plain_tensor(untyped) is untyped and plain_tensor(empty) is empty and plain_tensor(3) == 3
    assert first_tensor((1, [Typed(tensor)], torch.zeros(1))) is tensor
    assert first_tensor((1, "a")) is None


def test_tensors_are_changed_wherever_they_are_and_nothing_else() -> None:
    tensor = torch.ones(2)
    given = (tensor, [1, tensor], {"a": Typed(tensor)}, Pair(tensor, 2))
    changed = mapped(given, lambda each: each.shape)
    assert changed == ((2,), [1, (2,)], {"a": (2,)}, Pair((2,), 2))
    assert isinstance(changed[1], list) and isinstance(changed[3], Pair)


def test_constants_become_their_tensors_where_no_change_is_given() -> None:
    constant, other = Constant((2,), lambda: torch.full((2,), 3.0)), torch.ones(1)
    found = mapped([constant, other, {"a": constant}], None)
    assert found[0].tolist() == found[2]["a"].tolist() == [3.0, 3.0] and found[1] is other
    assert mapped(constant, lambda each: each) is constant


def test_arguments_have_one_key_whatever_holds_them() -> None:
    constant = Constant((1,), lambda: torch.ones(1), "", 7)
    assert keyed([constant, {"b": 1, "a": 2.0}]) == keyed((constant, {"a": 2.0, "b": 1}))
    assert hash(keyed([[1], {"a": [2]}])) == hash(keyed(((1,), {"a": (2,)})))
    assert len({keyed(1), keyed(1.0), keyed(True), keyed(Constant((1,), lambda: torch.ones(1), "", 1))}) == 4


def test_the_tensor_that_is_written_to_is_the_one_that_the_operation_says() -> None:
    one, other = torch.ones(2), torch.zeros(2)
    assert written_by(aten.add_.Tensor, (one, other), {}) is one
    assert written_by(aten.add.Tensor, (one, other), {}) is None
    assert written_by(aten.add.out, (one, other), {"out": other}) is other
    assert written_by(aten.add.out, (one, other), {}) is None


def test_references_are_found_however_deep() -> None:
    assert refs_in([Ref(1), (2, {"a": [Ref(3)]}), "x"]) == [Ref(1), Ref(3)]
    assert refs_in(Ref(4)) == [Ref(4)] and refs_in(5) == []
