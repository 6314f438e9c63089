"""Networks of escnn as people write them, made ready and checked; wrong exports are caught, nothing is changed."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import equivariance as eq
from equivariance.errors import NetworkError
from equivariance.groups.fields import scalars
from equivariance.groups.point_groups import C4
from equivariance.layers import planar, served
from equivariance.layers.escnn import escnn_nn as enn
from equivariance.layers.escnn import gspaces
from equivariance.layers.export import ExportError, export, layers_of, types_of
from tests.support import ROOT

ROUNDING = 3e-5


def regular(space: Any, count: int) -> Any:
    return enn.FieldType(space, count * [space.regular_repr])


def trivial(space: Any, count: int = 3) -> Any:
    return enn.FieldType(space, count * [space.trivial_repr])


class Steerable(nn.Module):
    """A C8 network that wraps its grey picture itself: masked, antialiased pools, group pooling, a plain classifier."""

    def __init__(self, px: int = 29) -> None:
        super().__init__()
        space = gspaces.rot2dOnR2(8)
        self.picture, few, more = trivial(space, 1), regular(space, 2), regular(space, 3)
        self.stem = enn.SequentialModule(
            enn.MaskModule(self.picture, px, margin=1),
            enn.R2Conv(self.picture, few, kernel_size=7, padding=1, bias=False),
            enn.InnerBatchNorm(few),
            enn.ReLU(few, inplace=True),
        )
        self.shrink = enn.PointwiseAvgPoolAntialiased2D(few, sigma=0.66, stride=2)
        self.body = enn.SequentialModule(
            enn.R2Conv(few, more, kernel_size=5, padding=2, bias=False), enn.InnerBatchNorm(more), enn.ReLU(more)
        )
        self.group_pool = enn.GroupPooling(more)
        self.classify = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ELU(), nn.Linear(8, 4))

    def forward(self, picture: Tensor) -> Tensor:
        features = self.stem(enn.GeometricTensor(picture, self.picture))
        features = self.group_pool(self.body(self.shrink(features)))
        return self.classify(features.tensor.mean((2, 3)))


class WideBlock(enn.EquivariantModule):
    """Norm, ReLU, convolution, twice, with dropout and a shortcut that is added in place."""

    def __init__(self, in_type: Any, out_type: Any, stride: int) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        hidden = regular(in_type.gspace, 2)
        self.norm1, self.relu1 = enn.InnerBatchNorm(in_type), enn.ReLU(in_type, inplace=True)
        self.conv1 = enn.R2Conv(in_type, hidden, 3, padding=1, bias=False)
        self.norm2, self.relu2 = enn.InnerBatchNorm(hidden), enn.ReLU(hidden, inplace=True)
        self.dropout = enn.PointwiseDropout(hidden, p=0.3)
        self.conv2 = enn.R2Conv(hidden, out_type, 3, padding=1, stride=stride, bias=False)
        needs_one = stride > 1 or in_type != out_type
        self.shortcut = enn.R2Conv(in_type, out_type, 1, stride=stride, bias=False) if needs_one else None

    def forward(self, features: Any) -> Any:
        assert features.type == self.in_type
        normed = self.relu1(self.norm1(features))
        output = self.conv2(self.dropout(self.relu2(self.norm2(self.conv1(normed)))))
        output += features if self.shortcut is None else self.shortcut(normed)
        return output

    def evaluate_output_shape(self, input_shape: Any) -> Any:
        raise NotImplementedError


class WideResNet(nn.Module):
    """Three stages, each of one block; `restrict`: subgroup before the second and the third, or None."""

    def __init__(self, space: Any, restrict: tuple[Any, Any]) -> None:
        super().__init__()
        self.picture = trivial(space)
        field_type = regular(space, 1)
        self.stem = enn.R2Conv(self.picture, field_type, 5, padding=2, bias=False)
        self.stage1, field_type = self._stage(field_type, 1, scalar=False)
        self.restrict1, field_type = self._restricted(field_type, restrict[0])
        self.stage2, field_type = self._stage(field_type, 2, scalar=False)
        self.restrict2, field_type = self._restricted(field_type, restrict[1])
        self.stage3, field_type = self._stage(field_type, 2, scalar=True)
        self.norm, self.relu = enn.InnerBatchNorm(field_type), enn.ReLU(field_type, inplace=True)
        self.classify = nn.Linear(field_type.size, 4)

    def _stage(self, in_type: Any, stride: int, *, scalar: bool) -> tuple[nn.Module, Any]:
        out_type = trivial(in_type.gspace, 6) if scalar else regular(in_type.gspace, 2)
        return enn.SequentialModule(WideBlock(in_type, out_type, stride)), out_type

    def _restricted(self, in_type: Any, subgroup: Any) -> tuple[Any, Any]:
        if subgroup is None:
            return (lambda features: features), in_type
        restriction = enn.RestrictionModule(in_type, subgroup)
        disentangling = enn.DisentangleModule(restriction.out_type)
        return enn.SequentialModule(restriction, disentangling), disentangling.out_type

    def forward(self, picture: Tensor) -> Tensor:
        features = self.stage1(self.stem(enn.GeometricTensor(picture, self.picture)))
        features = self.stage3(self.restrict2(self.stage2(self.restrict1(features))))
        maps = self.relu(self.norm(features)).tensor
        return self.classify(functional.avg_pool2d(maps, maps.shape[-2:]).flatten(1))


def seeded(make: Any) -> nn.Module:
    torch.manual_seed(1)
    network: nn.Module = make()
    return network


TURNS = {"rot90": (False, 1), "rot180": (False, 2), "mirror": (True, 0), "mirror_rot180": (True, 2)}


@torch.no_grad()
def exact_in_escnn(network: nn.Module, px: int, channels: int) -> set[str]:
    """The oracle: turned and mirrored pictures through the network itself, in float32."""
    mode = network.training
    network.eval()
    picture = torch.randn(1, channels, px, px, generator=torch.Generator().manual_seed(4))
    logits = network(picture)
    exact = set()
    for name, (mirrored, turns) in TURNS.items():
        moved = torch.rot90(picture.flip(-1) if mirrored else picture, turns, (2, 3))
        if float((network(moved) - logits).norm() / logits.norm()) < ROUNDING:
            exact.add(name)
    network.train(mode)
    return exact


def exact_in(report: Any) -> set[str]:
    return {name for name, status in report.elements.items() if status == "exact" and name in TURNS}


@pytest.mark.parametrize("px", [29, 28])
def test_steerable_network_that_wraps_its_picture_is_read_and_judged(px: int) -> None:
    network = seeded(lambda: Steerable(px))
    report = eq.check(network, px)
    assert report.group == "C8" and report.dtype == "float64" and report.evidence == "theory and measurement"
    assert exact_in(report) == exact_in_escnn(network, px, 1)
    assert report.verdict == ("exact" if px == 29 else "approximate")
    assert report.first_broken_layer == (None if px == 29 else "shrink")


D4, D8, C8, FLIP = gspaces.flipRot2dOnR2(4), gspaces.flipRot2dOnR2(8), gspaces.rot2dOnR2(8), gspaces.flip2dOnR2()


@pytest.mark.parametrize(
    ("space", "restrict", "group"),
    [
        (D4, (None, None), "D4"),
        (D4, ((0, 2), (0, 1)), "D1"),
        (D8, ((0, 4), None), "D4"),
        (D8, ((0, 4), (0, 1)), "D1"),
        (C8, (4, None), "C4"),
        (FLIP, (None, None), "D1"),
    ],
    ids=["D4", "D4-D2-D1", "D8-D4", "D8-D4-D1", "C8-C4", "flip"],
)
def test_wide_resnet_is_judged_by_the_group_that_is_left(space: Any, restrict: tuple[Any, Any], group: str) -> None:
    network = seeded(lambda: WideResNet(space, restrict))
    report, other = eq.check(network, 33), eq.check(network, 32)
    assert report.group == other.group == group
    assert report.verdict == "exact" and report.evidence == "theory and measurement"
    assert exact_in(report) == exact_in_escnn(network, 33, 3) & set(report.elements)
    assert other.verdict == "approximate" and other.first_broken_layer == "stage2.0.conv2"
    assert exact_in(other) == exact_in_escnn(network, 32, 3) & set(other.elements)
    assert other.exact_sizes_px["height"] == (29, 33)
    assert any("it is judged by" in note for note in report.notes) == (restrict != (None, None))


def test_network_restricted_to_nothing_breaks_at_the_restriction() -> None:
    report = eq.check(seeded(lambda: WideResNet(C8, (4, 1))), 33)
    assert report.verdict == "not equivariant" and report.first_broken_layer == "restrict2.0"
    assert "restricts its fields to a smaller group" in report.reason


def test_larger_group_that_is_asked_for_breaks_at_the_restriction() -> None:
    network = seeded(lambda: WideResNet(D4, ((0, 2), None)))
    report = eq.check(network, 33, group="D4")
    assert exact_in(report) == exact_in_escnn(network, 33, 3) == {"rot180", "mirror", "mirror_rot180"}
    assert report.first_broken_layer == "restrict1.0"


@pytest.mark.parametrize("root", [enn.SequentialModule, nn.Sequential], ids=["theirs", "torch's"])
def test_sequence_that_takes_and_gives_typed_tensors_is_compared_by_its_type(root: Any) -> None:
    space = gspaces.rot2dOnR2(4)
    fields = regular(space, 2)
    network = root(enn.R2Conv(trivial(space), fields, 3), enn.ELU(fields), enn.R2Conv(fields, fields, 3, stride=2))
    report = eq.check(network, 17)
    assert report.verdict == "exact" and report.evidence == "theory and measurement"
    assert report.outputs["output"]["compared as"] == "maps"
    assert eq.check(network, 18).first_broken_layer == "2"


@pytest.mark.parametrize(
    ("space", "group", "elements"),
    [
        (gspaces.flip2dOnR2(), "D1", {"mirror"}),
        (gspaces.flip2dOnR2(axis=0.0), "D1", {"mirror_rot180"}),
        (gspaces.rot2dOnR2(2), "C2", {"rot180"}),
        (gspaces.flipRot2dOnR2(2), "D2", {"rot180", "mirror", "mirror_rot180"}),
        (gspaces.flipRot2dOnR2(4, axis=0.3), "D4", {"rot90", "rot180", "rot270"}),
        (gspaces.rot2dOnR2(3), "C3", {"rot120", "rot240"}),  # which move none, and are measured with resampling
    ],
    ids=["mirror", "other mirror", "C2", "D2", "D4 about another axis", "C3"],
)
def test_small_groups_are_read_with_the_elements_that_move_pixels(space: Any, group: str, elements: set[str]) -> None:
    fields = regular(space, 2)
    network = enn.SequentialModule(enn.R2Conv(trivial(space), fields, 3), enn.ReLU(fields), enn.GroupPooling(fields))
    report = eq.check(network, 9)
    assert report.group == group and set(report.elements) == elements
    if group != "C3":
        assert set(report.elements.values()) == {"exact"} and report.evidence == "theory and measurement"
    else:
        assert set(report.elements.values()) == {"undecided"} == {report.verdict}
        assert any("no quarter turn" in note for note in report.notes)


def test_nothing_of_the_network_is_changed() -> None:
    network = seeded(lambda: Steerable(29))
    network.body.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    kinds = [type(module) for module in network.modules()]
    seen: list[int] = []
    network.stem.register_forward_hook(lambda *_: seen.append(1))
    state = torch.random.get_rng_state()

    eq.check(network, 29)

    assert [module.training for module in network.modules()] == modes
    assert [type(module) for module in network.modules()] == kinds
    after = network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(parameter.requires_grad for name, parameter in network.named_parameters() if "mask" not in name)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(network.stem._forward_hooks) == 1


def test_network_in_eval_mode_with_gradients_is_taken() -> None:
    """escnn's expanded filters then have a history, which cannot be copied."""
    network = seeded(lambda: Steerable(29)).eval()
    assert network.stem[1].filter.grad_fn is not None
    assert eq.check(network, 29).verdict == "exact"


def test_modules_that_a_network_holds_outside_its_registry_are_exchanged_too() -> None:
    space = gspaces.rot2dOnR2(4)
    fields = regular(space, 1)

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.pool = enn.R2Conv(trivial(space), fields, 3), enn.GroupPooling(fields)
            self.order = [self.conv, self.pool]

        def forward(self, picture: Tensor) -> Tensor:
            features = enn.GeometricTensor(picture, self.order[0].theirs_in)
            for layer in self.order:
                features = layer(features)
            return features.tensor

    network = Listed()
    network.order[0].theirs_in = network.conv.in_type
    made = served.served(network, "float64", (3, 9, 9))
    assert "conv" not in made.as_they_are or made.dtype == "float32"
    assert eq.check(network, 9).verdict == "exact"


def test_class_of_a_user_s_own_on_top_of_a_module_runs_as_it_is() -> None:
    space = gspaces.rot2dOnR2(4)
    fields = regular(space, 2)

    class Doubled(enn.ReLU):
        def forward(self, features: Any) -> Any:
            return super().forward(features) + super().forward(features)

    network = enn.SequentialModule(enn.R2Conv(trivial(space), fields, 3), Doubled(fields), enn.GroupPooling(fields))
    made = served.served(network, "float64", (3, 9, 9))
    assert list(made.as_they_are) == ["1"]
    assert eq.check(network, 9).verdict == "exact"


# ------------------------------------------------------------------------------------------------- wrong exports


def unpadded(module: Any, group: Any) -> nn.Module:
    conv: nn.Module = planar._conv(module, group)
    conv.padding_mode = "zeros"
    return conv


@pytest.fixture
def circular() -> nn.Module:
    space = gspaces.rot2dOnR2(4)
    fields = regular(space, 2)
    first = enn.R2Conv(trivial(space), fields, 3, padding=1)
    return enn.SequentialModule(first, enn.R2Conv(fields, fields, 3, padding=1, padding_mode="circular"))


def test_plain_layer_that_is_another_function_is_refused_by_name(
    circular: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(planar._MAKERS, "R2Conv", unpadded)
    with pytest.raises(ExportError, match=r"^1: its plain layer differs from it by \d\.\de-01"):
        export(circular, C4)


def test_layer_with_a_wrong_equivalent_runs_as_it_is_and_a_note_says_why(
    circular: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(planar._MAKERS, "R2Conv", unpadded)
    report = eq.check(circular, 9)
    assert report.verdict == "exact" and report.dtype == "float32"
    assert any("1: its plain layer differs from it" in note for note in report.notes)


def test_network_that_differs_only_as_a_whole_runs_as_it_is_and_a_note_says_why() -> None:
    space = gspaces.rot2dOnR2(4)
    fields = regular(space, 2)

    class Peeking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = enn.R2Conv(trivial(space), fields, 3)

        def forward(self, picture: Tensor) -> Tensor:
            factor = 2.0 if isinstance(self.conv, enn.R2Conv) else 1.0
            return factor * self.conv(enn.GeometricTensor(picture, self.conv.in_type)).tensor

    made = served.served(Peeking(), "float64", (3, 9, 9))
    assert made.dtype == "float32"
    assert any("with plain layers" in reason for reason in made.as_they_are.values())


def test_export_does_not_depend_on_what_was_imported_before() -> None:
    code = """
import warnings; warnings.filterwarnings("ignore")
from escnn import gspaces, nn as enn
from torch import nn
from equivariance.groups.point_groups import C4
from equivariance.layers.export import export
s = gspaces.rot2dOnR2(4)
t, r = enn.FieldType(s, 3 * [s.trivial_repr]), enn.FieldType(s, [s.regular_repr])
print([type(layer).__name__ for layer in export(nn.Sequential(enn.R2Conv(t, r, 3), enn.ReLU(r)), C4)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "['Conv2d', 'ReLU']"


def test_types_of_a_module_of_theirs_are_read() -> None:
    space = gspaces.rot2dOnR2(4)
    pool = enn.GroupPooling(regular(space, 2))
    assert types_of(pool) == (eq.regular("C4", 2), scalars(2))
    assert [name for name, _ in layers_of(nn.Sequential(enn.R2Conv(trivial(space), regular(space, 1), 3), pool))] == [
        "0",
        "1",
    ]


def test_volumes_are_refused_in_one_sentence() -> None:
    kind = type("R3Conv", (nn.Conv3d,), {"__module__": "escnn.nn"})
    space = type("Space", (), {"dimensionality": 3, "name": "R3"})()
    module = kind(1, 1, 3)
    module.in_type = module.out_type = type("FieldType", (), {"__module__": "escnn.nn", "gspace": space, "size": 1})()
    with pytest.raises(
        NetworkError, match=r"^0: R3Conv takes volumes, and only networks of pictures can be checked\.$"
    ):
        eq.check(nn.Sequential(module), 9)


def test_linear_layers_behind_the_group_pooling_are_served() -> None:
    space = gspaces.rot2dOnR2(4)
    fields, bare = regular(space, 2), gspaces.no_base_space(gspaces.rot2dOnR2(4).fibergroup)
    numbers = enn.FieldType(bare, 2 * [bare.trivial_repr])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = enn.SequentialModule(enn.R2Conv(trivial(space), fields, 3), enn.GroupPooling(fields))
            self.norm, self.linear = enn.IIDBatchNorm1d(numbers), enn.Linear(numbers, numbers)

        def forward(self, picture: Tensor) -> Tensor:
            pooled = self.body(enn.GeometricTensor(picture, self.body.in_type)).tensor.mean((2, 3))
            return self.linear(self.norm(enn.GeometricTensor(pooled, numbers))).tensor

    network = Net()
    with torch.no_grad():
        for parameter in network.linear.parameters():
            parameter.uniform_(0.2, 1.0)
    report = eq.check(network, 9)
    assert report.group == "C4" and set(report.elements.values()) == {"exact"}
    assert set(served.served(network, "float64", (3, 9, 9)).as_they_are) <= {"norm"}
