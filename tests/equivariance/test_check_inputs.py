"""What `check` takes, and the one sentence where it cannot take something; and that a network stays as it was."""

import random
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

import equivariance as eq
from equivariance.errors import EquivarianceError, GroupError, NetworkError, SizeError
from tests.equivariance.networks import GroupCnn, ready, truth


def small(channels: int = 3) -> nn.Module:
    """A convolution with a symmetric kernel and a mean."""
    return ready(nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), symmetric=True)


def image(mode: str = "RGB", size: tuple[int, int] = (9, 9)) -> Image.Image:
    """Of noise; size: (width, height)."""
    drawn = torch.randint(0, 256, (size[1], size[0], 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Image.fromarray(drawn.numpy(), "RGBA").convert(mode)


# ------------------------------------------------------------------------------------------------------------ pictures

PICTURES: dict[str, tuple[Any, tuple[int, int], str]] = {
    "a side": (9, (9, 9), "3 random pictures"),
    "a NumPy side": (np.int64(9), (9, 9), "3 random pictures"),
    "height and width": ((9, 9), (9, 9), "3 random pictures"),
    "three dimensions": (torch.rand(3, 9, 9), (9, 9), "your picture and 2 random pictures"),
    "a batch": (torch.rand(2, 3, 9, 9), (9, 9), "your 2 pictures and 2 random pictures"),
    "bytes": (torch.zeros(3, 9, 9, dtype=torch.uint8), (9, 9), "your picture and 2 random pictures"),
    "an image": (image(), (9, 9), "your picture and 2 random pictures"),
    "a grey image": (image("L"), (9, 9), "your picture and 2 random pictures"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_every_kind_are_taken_and_said_to_be_what_they_are(name: str) -> None:
    picture, sides, words = PICTURES[name]
    report = eq.check(small(), picture)

    assert (report.verdict, report.input) == ("exact", words)
    assert (report.height_px, report.width_px) == sides


def test_a_picture_is_read_from_a_path(tmp_path: Path) -> None:
    image("RGB", (12, 9)).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        report = eq.check(small(), path, group="C2")
        assert (report.verdict, report.height_px, report.width_px) == ("exact", 9, 12)
        assert report.input == "a.png and 2 random pictures"


@pytest.mark.parametrize(("channels", "mode"), [(1, "RGB"), (3, "L"), (4, "RGBA"), (4, "RGB")])
def test_images_are_brought_to_the_channels_of_the_network(channels: int, mode: str) -> None:
    assert eq.check(small(channels), image(mode)).verdict == "exact"


def test_sides_that_differ_are_each_judged() -> None:
    network = ready(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.AdaptiveAvgPool2d(1)), symmetric=True)
    for sides, expected in (((9, 13), "exact"), ((9, 12), "broken"), ((12, 9), "broken")):
        assert truth(network, *sides) == expected
        assert (eq.check(network, sides).verdict == "exact") == (expected == "exact")
    assert eq.check(network, (9, 12)).exact_sizes_px == {"height": (None, 11), "width": (11, 13)}


# ------------------------------------------------------------------------------------------------------------ channels


class Coordinates(nn.Module):
    """Two more channels before its convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(5, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(torch.cat([x, x[:, :2].square()], 1)).mean((2, 3))


class HeadFirst(nn.Module):
    """Its last layer is defined before its first."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.stem = nn.Conv2d(6, 2, 1), nn.Conv2d(1, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x)).mean((2, 3))


@pytest.mark.parametrize(
    ("network", "channels"),
    [(small(1), 1), (small(4), 4), (small(7), 7), (Coordinates(), 3), (HeadFirst(), 1), (GroupCnn(), 3)],
)
def test_channels_are_those_that_the_network_takes(network: nn.Module, channels: int) -> None:
    network = network.double().eval()
    assert network(torch.rand(1, channels, 9, 9, dtype=torch.float64)).isfinite().all()
    assert eq.predict(network, 9).verdict == eq.predict(network, 9, channels=channels).verdict
    assert eq.check(network, 9).verdict == eq.check(network, torch.rand(channels, 9, 9)).verdict


def test_channels_that_cannot_be_read_are_asked_for_in_one_sentence() -> None:
    with pytest.raises(NetworkError, match=r"^The number of channels cannot be read from the network: pass channels="):
        eq.check(nn.MaxPool2d(2), 8)
    assert eq.check(nn.MaxPool2d(2), 8, channels=1).verdict == "exact"
    assert eq.check(nn.MaxPool2d(2), torch.rand(5, 8, 8)).verdict == "exact"


# ------------------------------------------------------------------------------------------------------- one sentence


class Failing(nn.Module):
    """Raises what it is given."""

    def __init__(self, error: Exception, *, late: bool = False) -> None:
        super().__init__()
        self.conv, self.error, self.late, self.calls = nn.Conv2d(3, 2, 1), error, late, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if not self.late or self.calls > 2:
            raise self.error
        return self.conv(x)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no module": (lambda: eq.check(len, 9), NetworkError, "A network is a torch.nn.Module"),  # type: ignore[arg-type]
    "a class": (lambda: eq.check(nn.ReLU, 9), NetworkError, "this is the class ReLU"),  # type: ignore[arg-type]
    "no size": (lambda: eq.check(small(), "nothing.png"), SizeError, "nothing.png cannot be read as a picture"),
    "zero": (lambda: eq.check(small(), 0), SizeError, "A size is a side or (height, width) in pixels"),
    "three sides": (lambda: eq.check(small(), (9, 9, 9)), SizeError, "pass 33 or (30, 33)"),
    "a fraction": (lambda: eq.predict(small(), 9.5), SizeError, "this is 9.5"),  # type: ignore[arg-type]
    "a word": (lambda: eq.check(small(), None), SizeError, "A picture is a side, (height, width), a tensor"),
    "two dimensions": (lambda: eq.check(small(), torch.rand(9, 9)), SizeError, "this is of shape (9, 9)"),
    "no number": (lambda: eq.check(small(), torch.full((3, 9, 9), torch.nan)), SizeError, "holds NaN or infinity"),
    "other channels": (lambda: eq.check(small(), torch.rand(1, 9, 9)), SizeError, "cannot take 1×9×9"),
    "channels that differ": (
        lambda: eq.check(small(), torch.rand(1, 9, 9), channels=3),
        SizeError,
        "The picture is of shape (1, 1, 9, 9), and channels=3",
    ),
    "no channels": (lambda: eq.check(small(), 9, channels=0), NetworkError, "A picture has 1 channel or more"),
    "too small": (lambda: eq.check(small(), 2), SizeError, "The network cannot take 3×2×2: "),
    "a precision": (lambda: eq.check(small(), 9, dtype="int8"), NetworkError, "use one of float64, float32"),
    "a group": (lambda: eq.check(small(), 9, group="Q4"), GroupError, "There is no group 'Q4'"),
    "a group's number": (lambda: eq.check(small(), 9, group=4), GroupError, "A group is a name"),  # type: ignore[arg-type]
    "an output": (lambda: eq.check(small(), 9, output="logits"), NetworkError, "An output is one of invariant, maps"),
    "a layer's name": (
        lambda: eq.check(small(), 9, fields={"stem*": eq.regular("C4", 1)}),
        NetworkError,
        "fields= names 'stem*', and no layer is called so: the layers are 0, 1, 2.",
    ),
    "a layer's type": (
        lambda: eq.check(small(), 9, fields={"0": 4}),  # type: ignore[dict-item]
        NetworkError,
        "fields= for '0' is of type int: pass a field type",
    ),
    "sizes the wrong way round": (lambda: eq.exact_sizes(small(), 20, 10), SizeError, "The smallest side, 20 px"),
    "its own error": (
        lambda: eq.check(Failing(LookupError("gone")), 9),
        NetworkError,
        "The network fails on a picture: gone",
    ),
    "its own check": (lambda: eq.check(Failing(AssertionError("even!")), 9), SizeError, "cannot take 3×9×9: even!"),
    "an error without words": (lambda: eq.check(Failing(KeyError()), 9), NetworkError, "fails on a picture: KeyError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_user_can_do_wrong_is_one_sentence(name: str) -> None:
    act, kind, words = REFUSED[name]
    with pytest.raises(EquivarianceError) as caught:
        act()

    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_single_precision_in_a_network_are_no_obstacle() -> None:
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x.float()).mean((2, 3))

    network = ready(Single(), symmetric=True).float()
    report = eq.check(network, 9)

    assert (report.verdict, report.dtype) == ("exact", "float32")
    assert report.notes == ("Worked out in float32: the network makes numbers of that precision itself.",)
    assert eq.predict(network, 9).verdict == "exact"


# ------------------------------------------------------------------------------------------------------------ untouched


class Restless(nn.Module):
    """Dropout that is always on, statistics that change, random numbers of three libraries."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        calls: Any = self.calls
        calls += 1 + 0 * random.random() * np.random.rand()
        return functional.dropout(self.norm(self.conv(x)), 0.1, training=True).mean((2, 3))


def state_of(network: nn.Module) -> list[Any]:
    """All that must stay as it is."""
    return [
        {name: value.clone() for name, value in network.state_dict().items()},
        [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None],
        [(module.training, len(module._forward_hooks), len(module._forward_pre_hooks)) for module in network.modules()],
        [parameter.requires_grad for parameter in network.parameters()],
        [parameter.data_ptr() for parameter in network.parameters()],
        torch.random.get_rng_state(),
        str(np.random.get_state()),
        random.getstate(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
    ]


def assert_alike(one: Any, other: Any) -> None:
    """Equal, tensors included."""
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        assert_alike(list(one.values()), list(other.values()))
    elif isinstance(one, list):
        assert len(one) == len(other)
        for here, there in zip(one, other, strict=True):
            assert_alike(here, there)
    else:
        assert one == other


WORKS: dict[str, Callable[[nn.Module], Any]] = {
    "check": lambda network: eq.check(network, 9),
    "predict": lambda network: eq.predict(network, 9),
    "exact_sizes": lambda network: eq.exact_sizes(network, 7, 9),
    "sizes of a report": lambda network: eq.check(network, 9).exact_sizes_px,
    "assert_equivariant": lambda network: eq.assert_equivariant(network, 9),
}


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize(
    "make", [Restless, lambda: Failing(RuntimeError("no"), late=True)], ids=["works", "fails late"]
)
def test_a_network_stays_as_it_was(work: str, make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(3)
    network = make().train()
    next(network.parameters()).grad = torch.ones_like(next(network.parameters()))
    next(network.modules()).register_forward_hook(lambda module, inputs, output: None)
    before = state_of(network)
    with suppress(EquivarianceError, AssertionError):
        WORKS[work](network)

    assert_alike(before, state_of(network))


def test_no_warning_is_left_to_the_reader() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eq.check(small(), 9)


def test_assert_equivariant_says_the_report() -> None:
    eq.assert_equivariant(small(), 9)
    strided = ready(nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.AdaptiveAvgPool2d(1)), symmetric=True)
    eq.assert_equivariant(strided, 9, group="C4")
    with pytest.raises(AssertionError) as caught:
        eq.assert_equivariant(strided, 10)

    assert str(caught.value).splitlines()[0] == "Approximately equivariant to quarter turns at 10 px."
    assert "First broken at 0 (10 → 4 px): kernel 3, stride 2, remainder 1" in str(caught.value)
    assert "Exact sizes near: 9, 11 px." in str(caught.value)
