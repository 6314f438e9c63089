"""A network made ready: its group, its precision, a copy of it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equivariance.checking.precision import in_some_precision
from equivariance.checking.sizes import is_number, size_of
from equivariance.checking.subject import Asked, Subject
from equivariance.errors import NetworkError, SizeError
from equivariance.groups.fields import FieldType, regular, scalars
from equivariance.groups.point_groups import C4, D4
from equivariance.layers.escnn import escnn_nn as enn
from equivariance.layers.escnn import gspaces
from equivariance.layers.plain import typed


def subject(network: Any, *, dtype: str = "float64", given: int | None = None, **asked: Any) -> Subject:
    every = {"group": None, "fields": None, "output": None, "channels": None, **asked}
    return Subject.of(Asked(network, **every), dtype, [(5, 5)], given)


def two_groups() -> nn.Module:
    """Layers that declare D4, and one that declares nothing but scalars."""
    return nn.Sequential(
        typed(nn.Conv2d(3, 8, 1), scalars(3), regular(D4, 1)), typed(nn.ReLU(), scalars(8), scalars(8))
    )


def test_the_group_is_the_one_that_is_passed_or_that_layers_have_or_c4() -> None:
    plain = nn.Conv2d(3, 2, 1)
    assert subject(plain).group == C4
    assert subject(plain, group="D4").group == subject(plain, group=D4).group == D4
    assert subject(two_groups()).group == D4
    assert subject(two_groups(), group="C4").group == C4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_copy_in_eval_mode_and_in_the_precision_is_judged(dtype: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout()).train().half()
    ready = subject(network, dtype=dtype)
    assert {str(each.dtype) for each in ready.network.parameters()} == {f"torch.{dtype}"}
    assert not any(module.training for module in ready.network.modules()) and ready.dtype == dtype
    assert network.training and network[0].weight.dtype == torch.float16
    assert ready.notes == () and ready.output_types == {}


def test_the_precision_that_weights_were_stored_in_is_the_least_precise() -> None:
    mixed = nn.Sequential(nn.Conv2d(3, 2, 1).double(), nn.Conv2d(2, 2, 1).float())
    for network, stored in ((mixed, torch.float32), (nn.Conv2d(3, 2, 1).bfloat16(), torch.bfloat16)):
        assert subject(network).program._stored == stored
    assert subject(nn.ReLU(), channels=3).program._stored is None


def test_channels_are_those_asked_for_before_those_given_before_those_read() -> None:
    assert subject(nn.ReLU(), channels=2, given=5).channels == 2
    assert subject(nn.ReLU(), given=5).channels == 5
    assert subject(nn.Conv2d(4, 2, 1)).channels == 4


def test_elements_are_those_that_move_pixels() -> None:
    assert {element.name for element in subject(nn.Conv2d(3, 2, 1)).elements} == {"rot90", "rot180", "rot270"}
    assert subject(nn.Conv2d(3, 2, 1), group="C3").elements == ()
    assert len(subject(nn.Conv2d(3, 2, 1), group="Z2").elements) == 7  # of all turns and mirrors


@pytest.mark.parametrize("output", [None, "invariant", "maps", "regular", scalars(2)])
def test_outputs_are_words_or_types(output: str | FieldType | None) -> None:
    assert subject(nn.Conv2d(3, 2, 1), output=output).program.output == output


@pytest.mark.parametrize("name", ["0", "?", "*"])
def test_fields_are_named_by_layer_or_pattern(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1))
    assert subject(network, fields={name: regular(C4, 1)}).program.types["0"] == (None, regular(C4, 1))


@pytest.mark.parametrize("count", [6, 7])
def test_a_few_layers_are_named_where_none_is_called_so(count: int) -> None:
    network = nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(count)])
    with pytest.raises(NetworkError) as caught:
        subject(network, fields={"stem": scalars(3)})
    assert str(caught.value).endswith("the layers are 0, 1, 2, 3, 4, 5" + (", …." if count == 7 else "."))


class Uncopied(nn.Module):
    """Cannot be copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("not this one\nat all")


def test_a_network_that_cannot_be_copied_is_refused_in_one_line() -> None:
    with pytest.raises(NetworkError, match=r"^The network cannot be copied: not this one$"):
        subject(Uncopied(), channels=1)


class Steered(nn.Module):
    """A convolution of escnn that lifts a picture to mirrors and turns, which may be restricted to turns alone."""

    def __init__(self, *, restricted: bool, channels: int = 2) -> None:
        super().__init__()
        space = gspaces.flipRot2dOnR2(4)
        self.picture = enn.FieldType(space, channels * [space.trivial_repr])
        fields = enn.FieldType(space, [space.regular_repr])
        self.conv = enn.R2Conv(self.picture, fields, kernel_size=3)
        self.rest = self._turns(fields) if restricted else enn.ReLU(fields)

    def _turns(self, fields: Any) -> Any:
        restriction = enn.RestrictionModule(fields, (None, 4))
        disentangled = enn.DisentangleModule(restriction.out_type)
        return enn.SequentialModule(
            restriction, disentangled, enn.R2Conv(disentangled.out_type, disentangled.out_type, 1)
        )

    def forward(self, maps: Tensor) -> Any:
        return self.rest(self.conv(enn.GeometricTensor(maps, self.picture))).tensor.mean((2, 3))


def test_a_network_of_escnn_has_the_group_and_the_channels_that_its_layers_say() -> None:
    ready = subject(Steered(restricted=False))
    assert (ready.group, ready.channels, ready.notes) == (D4, 2, ())
    assert subject(Steered(restricted=False, channels=5)).channels == 5
    assert subject(Steered(restricted=False, channels=5), channels=5).channels == 5


def test_of_groups_that_are_restricted_the_smallest_judges_and_all_are_told() -> None:
    ready = subject(Steered(restricted=True))
    assert ready.group == C4
    assert ready.notes == ("its layers are of D4, then C4; it is judged by C4",)
    assert subject(Steered(restricted=True), group="C2").notes == ("its layers are of D4, then C4; it is judged by C2",)


# ------------------------------------------------------------------------------------------------- sizes and precisions


@pytest.mark.parametrize(
    ("size", "expected"), [(9, (9, 9)), ((4, 7), (4, 7)), ([4, 7], (4, 7)), (torch.Size([1, 2]), (1, 2))]
)
def test_a_size_is_a_side_or_two(size: Any, expected: tuple[int, int]) -> None:
    assert size_of(size) == expected


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None, "9", (9,), (9, 9, 9), (9, 0), (9.0, 9)])
def test_anything_else_is_no_size(size: Any) -> None:
    with pytest.raises(SizeError, match="A size is a side"):
        size_of(size)


def test_true_is_no_number() -> None:
    assert is_number(3) and not is_number(True) and not is_number(3.0)


@pytest.mark.parametrize("words", ["expected scalar type Double", "found dtype Float", "DoubleTensor", "a DTYPE"])
def test_a_network_that_makes_single_numbers_is_tried_in_them(words: str) -> None:
    tried = []

    def work(dtype: str) -> str:
        tried.append(dtype)
        if dtype == "float64":
            raise SizeError(words)
        return "done"

    assert in_some_precision("float64", work) == "done" and tried == ["float64", "float32"]
    assert in_some_precision("float32", work) == "done" and tried[2:] == ["float32"]


@pytest.mark.parametrize(("dtype", "words"), [("float64", "too small"), ("float32", "dtype"), ("float64", "doubled")])
def test_other_errors_are_not_tried_again(dtype: str, words: str) -> None:
    tried = []

    def work(precision: str) -> str:
        tried.append(precision)
        raise NetworkError(words)

    with pytest.raises(NetworkError, match=words):
        in_some_precision(dtype, work)
    assert tried == [dtype]
