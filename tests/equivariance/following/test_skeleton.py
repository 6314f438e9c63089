"""What handlers share: parts and axes of dimensions, constants in the skeleton, generic numbers."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from equivariance.following.dims import CHANNELS, HEIGHT, WIDTH, Atom, Dim, UnclearError, channels, unknown_channels
from equivariance.following.kinds import Kinds
from equivariance.following.recording import Constant
from equivariance.following.skeleton import (
    Context,
    Skeleton,
    aligned,
    common,
    constant,
    ends_of,
    filled,
    generic,
    many,
    one_axis,
    parts_of,
    place_of,
    shape_of,
    tensors_in,
)
from equivariance.groups.fields import regular, scalars
from equivariance.groups.point_groups import C4, D4, Element

H, W = Atom(HEIGHT, 4), Atom(WIDTH, 6)
MAPS = ((channels(1),), (channels(5, parts=[2, 3]),), (H,), (W,))


def context(number: int = 0, *, looks: bool = False, seed: int = 0) -> Context:
    made = Context(Kinds(D4, D4.pixel_exact_elements[1:]), [(1, 5, 4, 6)], seed)
    made.world, made.number, made.looks_at_weights = Element(), number, looks
    return made


def of(tensor: torch.Tensor) -> Constant:
    return Constant(tensor.shape, lambda: tensor)


def maps() -> Skeleton:
    return Skeleton(MAPS, torch.randn(1, 2, 4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64))


def test_parts_are_those_of_one_atom_and_one_each_of_several() -> None:
    assert parts_of((channels(5, parts=[2, 3]),)) == (2, 3)
    assert parts_of((channels(1), channels(5, parts=[2, 3]))) == (2, 3)
    assert parts_of((channels(2, parts=[1, 1]), channels(3))) == (1, 1)
    assert parts_of((channels(1),)) == parts_of(()) == (1,)
    assert parts_of((H,)) == (1,) * 4


def test_an_axis_is_one_atom_of_places_and_nothing_else() -> None:
    assert one_axis((H,)) == HEIGHT and one_axis((channels(1), W)) == WIDTH
    assert one_axis((Atom(HEIGHT, 1),)) == HEIGHT and one_axis((channels(1), Atom(WIDTH, 1))) == WIDTH
    several: list[Dim] = [(H, W), (channels(3),), (channels(3), H), (channels(1),)]
    for dim in several:
        with pytest.raises(UnclearError):
            one_axis(dim)


def test_dimensions_that_are_combined_are_told_apart_where_either_is() -> None:
    one, other = (channels(6, parts=[2, 4]),), (channels(6, parts=[3, 3]),)
    assert common(one, other) == (channels(6, parts=[2, 1, 3]),) and common(one, one) is one
    field = Atom(CHANNELS, 4, (4,), regular(C4, 1))
    assert common((channels(4),), (field,)) == (Atom(CHANNELS, 4, (4,), None),)
    assert common((channels(1), H), (H,)) == (H,)
    for unlike in ((W,), (Atom(HEIGHT, 5),), (channels(4),)):
        with pytest.raises(UnclearError, match="different meanings"):
            common((H,), unlike)


def test_small_helpers() -> None:
    assert ends_of([2, 1, 3]) == [2, 3, 6] and ends_of([]) == []
    assert many((channels(1), H, Atom(WIDTH, 1))) == [H]
    assert (place_of(-1, 4), place_of(2, 4), place_of(0, 4)) == (3, 2, 0)
    one, other = of(torch.ones(2, 3)), maps()
    assert shape_of(one) == (2, 3) and shape_of(other) == (1, 5, 4, 6)
    assert tensors_in((one, 3, [other, (one,)], None)) == [one, other, one]


# ----------------------------------------------------------------------------------------------------------- constants


def test_one_number_is_itself_and_zeros_stay_zeros() -> None:
    assert constant(context(), of(torch.tensor(2.5)), MAPS, 0).item() == 2.5
    assert constant(context(), of(torch.full((1, 1, 1, 1), 2.5)), MAPS, 0).shape == (1, 1, 1, 1)
    assert constant(context(), of(torch.zeros(5, 1, 1)), MAPS, 0).flatten().tolist() == [0.0, 0.0]


def test_one_number_for_each_channel_is_a_generic_one_for_each_part() -> None:
    vector = of(torch.tensor([1.0, 2, 3, 4, 5]).reshape(5, 1, 1))
    found = constant(context(), vector, MAPS, 0)
    assert found.shape == (1, 2, 1, 1) and float(found.min()) >= 0.3 and found.unique().numel() == 2
    assert torch.equal(found, constant(context(), vector, MAPS, 0))
    for other in (constant(context(), vector, MAPS, 1), constant(context(1), vector, MAPS, 0)):
        assert not torch.equal(found, other)
    assert not torch.equal(found, constant(context(seed=1), vector, MAPS, 0))


def test_numbers_along_space_are_the_network_s_own() -> None:
    ramp = torch.arange(24.0, dtype=torch.float64).reshape(4, 6)
    assert torch.equal(constant(context(), of(ramp), MAPS, 0)[0, 0], ramp)
    assert torch.equal(constant(context(), of(ramp[0]), MAPS, 0)[0, 0, 0], ramp[0])


def test_numbers_of_place_and_channel_are_mixed_over_the_channels_of_each_part() -> None:
    numbers = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = constant(context(), of(numbers), MAPS, 0)
    assert found.shape == (1, 2, 4, 6)
    for part, rows in ((0, numbers[:2]), (1, numbers[2:])):
        flat = rows.flatten(1).T
        weights = torch.linalg.lstsq(flat, found[0, part].reshape(-1, 1)).solution
        torch.testing.assert_close(flat @ weights, found[0, part].reshape(-1, 1))
        assert float(weights.min()) >= 0.2 - 1e-9


def test_asymmetry_is_noted_once_and_by_the_definition() -> None:
    looking = context(3, looks=True)
    ramp = torch.arange(6.0, dtype=torch.float64)
    constant(looking, of(ramp), MAPS, 0)
    expected = float((ramp.flip(0) - ramp).norm() / ramp.norm())
    assert looking.kinds.uneven[3]["mirror"] == pytest.approx(expected)
    assert "mirror_rot180" not in looking.kinds.uneven[3]
    even = context(looks=True)
    for numbers in (torch.ones(6), torch.tensor([1.0, 2, 3, 3, 2, 1])):
        constant(even, of(numbers.double()), MAPS, 0)
    assert set(even.kinds.uneven.get(0, {})) <= {"rot90", "rot270", "mirror_rot90", "mirror_rot270"}
    silent = context()
    constant(silent, of(ramp), MAPS, 0)
    assert silent.kinds.uneven == {}


def test_one_number_for_each_channel_is_held_against_its_fields() -> None:
    dims = ((channels(1),), (Atom(CHANNELS, 4, (4,), regular(C4, 1)),), (H,), (Atom(WIDTH, 4),))

    def noted(numbers: torch.Tensor, *, looks: bool = True) -> tuple[set[str], str]:
        looking = Context(Kinds(C4, C4.pixel_exact_elements[1:]), [(1, 4, 4, 4)], 0)
        looking.world, looking.looks_at_weights = Element(), looks
        constant(looking, of(numbers), dims, 0)
        return set(looking.kinds.errors.get(0, {})), looking.lost

    turns = {"rot90", "rot180", "rot270"}
    assert noted(torch.tensor([1.0, 2, 3, 4]).reshape(4, 1, 1)) == (turns, "")
    assert noted(torch.tensor([1.0, 2, 1, 2]).reshape(4, 1, 1)) == ({"rot90", "rot270"}, "")
    assert noted(torch.full((4, 1, 1), 3.0)) == (set(), "")
    assert noted(torch.tensor([1.0, 2, 3, 4]).reshape(4, 1, 1), looks=False) == (set(), "")
    places = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert noted(places.expand(4, 4, 4)) == (set(), "numbers that depend on both the place and the channel")
    assert noted(places) == (set(), "")


# ------------------------------------------------------------------------------------------------------------- together


def test_values_are_brought_together_as_torch_broadcasts_them() -> None:
    value = maps()
    (first, second, number), dims = aligned(context(), [value, of(torch.arange(6.0)), 2])
    assert dims == MAPS and torch.equal(first, value.tensor) and number.item() == 2.0
    assert torch.equal((first + second).squeeze(0), value.tensor[0] + torch.arange(6.0))


def test_channels_that_are_alike_are_repeated_where_another_tells_them_apart() -> None:
    whole, apart = channels(5), channels(5, parts=[2, 3])
    finer = channels(5, parts=[1, 1, 2, 1])
    one = Skeleton(((whole,),), torch.tensor([7.0]))
    two = Skeleton(((apart,),), torch.tensor([7.0, 8.0]))
    assert filled(context(), one, ((apart,),)).tolist() == [7, 7]
    assert filled(context(), two, ((finer,),)).tolist() == [7, 7, 8, 8]
    both, dims = aligned(context(), [two, Skeleton(((channels(5, parts=[1, 4]),),), torch.tensor([1.0, 2.0]))])
    assert dims == ((channels(5, parts=[1, 1, 3]),),)
    assert [each.tolist() for each in both] == [[7, 7, 8], [1, 2, 2]]


def test_a_constant_does_not_spread_one_pixel_over_many() -> None:
    pixel = Skeleton(((channels(1),), (Atom(HEIGHT, 1),)), torch.ones(1, 1))
    with pytest.raises(UnclearError, match="one pixel over many"):
        aligned(context(), [pixel, of(torch.ones(1, 3))])
    _, dims = aligned(context(), [Skeleton(((channels(1),),), torch.ones(1)), of(torch.ones(3))])
    assert dims == ((channels(3),),)
    _, dims = aligned(context(), [Skeleton(((channels(1),), (H,)), torch.ones(1, 4)), of(torch.ones(2, 1, 1))])
    assert dims == ((channels(2),), (channels(1),), (H,))


# ------------------------------------------------------------------------------------------------------ generic numbers


def test_a_generic_function_keeps_zero_where_it_is_not_shifted_and_what_is_not_there_is_not() -> None:
    numbers = torch.tensor([0.0, -math.inf, 1.0, -1.0], dtype=torch.float64)
    plain, shifted = generic(numbers, 0.0, 0.3), generic(numbers, 0.5, 0.3)
    assert plain[0] == 0 and shifted[0] != 0 and plain[1] == shifted[1] == -1
    assert plain[2] != -plain[3] and shifted[2] != -shifted[3]  # of an odd one a sign could be taken out
    grid = torch.linspace(-3, 3, 101, dtype=torch.float64)
    assert bool((generic(grid, 0.2, 0.3).diff() > 0).all())


def test_factors_belong_to_an_operation_or_to_a_function() -> None:
    one, other = context(0), context(1)
    assert 0.5 < one.factor() < 1.5 and one.factor() == one.factor() and one.factor() != other.factor()
    assert one.factor(1) != one.factor(2)
    assert one.factor(1, function=12) == other.factor(1, function=12) != one.factor(2, function=12)
    assert one.factor(1, function=12) != one.factor(1, function=13)
    assert context(seed=3).factor(0, function=5) != context(seed=4).factor(0, function=5)


def test_the_same_function_with_the_same_numbers_is_the_same() -> None:
    def salt(name: str, *args: Any, **kwargs: Any) -> int:
        made = context()
        made.operation = SimpleNamespace(name=name)  # type: ignore[assignment]
        return made.of_function(args, kwargs)

    assert salt("clamp", maps(), 1.0) == salt("clamp", Skeleton(MAPS[:1], torch.ones(1)), 1.0)
    different = [("clamp", (maps(), 1.0)), ("clamp", (maps(), 2.0)), ("clip", (maps(), 1.0)), ("clamp", (1.0, maps()))]
    assert len({salt(name, *args) for name, args in different}) == 4
    assert salt("clamp", maps(), min=1.0) != salt("clamp", maps(), max=1.0)


def test_what_is_found_once_is_kept_for_the_other_worlds() -> None:
    made, found = context(), []

    def find() -> int:
        found.append(1)
        return len(found)

    assert (made.once("a", find), made.once("a", find), made.once("b", find)) == (1, 1, 2)
    made.number = 1
    assert made.once("a", find) == 3


def test_numbers_are_scaled_by_what_they_are_for_the_picture_itself() -> None:
    made = context()
    numbers = torch.tensor([3.0, -4.0, 0.0], dtype=torch.float64)
    size = float(numbers.square().mean().sqrt())
    torch.testing.assert_close(made.scaled(numbers), numbers / size)
    torch.testing.assert_close(made.scaled(2 * numbers), 2 * numbers / size)
    torch.testing.assert_close(made.scaled(2 * numbers, 1), numbers / size)
    for flat in (torch.zeros(3), torch.zeros(0), torch.full((2,), math.inf)):
        assert torch.equal(context().scaled(flat), flat)


def test_numbers_are_centred_by_what_they_are_for_the_picture_itself() -> None:
    made = context()
    numbers = torch.tensor([100.0, 102.0, 104.0], dtype=torch.float64)
    found = made.centred(numbers)
    assert float(found.mean()) == pytest.approx(0.3) and float((found - 0.3).square().mean()) == pytest.approx(1)
    torch.testing.assert_close(made.centred(numbers.flip(0)), found.flip(0))
    assert torch.isfinite(context().centred(torch.full((3,), 5.0))).all()
    assert torch.isfinite(context().centred(torch.zeros(3))).all() and context().centred(torch.zeros(0)).numel() == 0


def test_a_function_shares_its_centre_where_that_serves() -> None:
    made = context()
    numbers = torch.linspace(-1, 1, 21, dtype=torch.float64)
    first = made.centred(numbers, function=7)
    for number, (values, serves) in enumerate(
        [
            (numbers * 2, True),
            (numbers * 3.9, True),
            (numbers * 5, False),
            (numbers / 10, False),
            (numbers + 5, False),
            (numbers + 0.3, True),
        ],
        1,
    ):
        made.number = number
        shared = first[0] + (values[0] - numbers[0]) * (first[-1] - first[0]) / 2
        assert math.isclose(float(made.centred(values, function=7)[0]), float(shared), rel_tol=1e-9) == serves


def test_why_a_transform_is_lost_is_told_by_the_first() -> None:
    made = context()
    made.lose("first")
    made.lose("second")
    assert made.lost == "first"


def test_scalar_weights_are_noted_for_their_operation() -> None:
    made = context(2)
    made.note_scalar(is_scalar=True)
    assert made.is_scalar
    made.number = 3
    assert not made.is_scalar


def test_pixels_are_those_of_the_picture() -> None:
    assert context().pixels == 24
    empty = Context(Kinds(C4, ()), [(1, 3, 0, 4)], 0)
    assert empty.pixels == 1


def test_unknown_fields_are_not_held_against_numbers() -> None:
    looking = context(looks=True)
    dims = ((channels(1),), (unknown_channels(4),), (H,), (W,))
    constant(looking, of(torch.tensor([1.0, 2, 3, 4]).reshape(4, 1, 1)), dims, 0)
    assert looking.kinds.errors == {} and scalars(4).is_scalar
