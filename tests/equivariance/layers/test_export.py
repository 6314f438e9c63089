"""Served networks: plain layers that equal the originals, with the right types, and refused where they would not."""

import copy
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from equivariance.groups.fields import Harmonics, average_kernel, regular, scalars, tabulated
from equivariance.groups.point_groups import C4, SO2
from equivariance.layers import plain
from equivariance.layers.export import ExportError, export, layers_of, types_of
from equivariance.layers.plain import FourierELU
from models import catalog
from models.build import build, serve
from models.steerable import SteerableKit, escnn_nn

SIDE = 17  # the smallest of all families' comfortable sides
EPS32 = torch.finfo(torch.float32).eps
ROUNDING = 1000 * EPS32  # of up to 136 layers in float32, relative to maps of which ReLU left little
STEERABLE = ("c4", "d4", "c8", "d8", "so2")
# Residual networks of many layers, slow to build in escnn, with the `full` mark: their layers are those of C4's.
SLOW = {f"{group}-{family}" for group in STEERABLE[1:] for family in catalog.FAMILIES if family.startswith("resnet")}
NAMES = [pytest.param(name, marks=pytest.mark.full) if name in SLOW else name for name in catalog.NAMES]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def randomize_norms_and_biases(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """Make all that starts at 0 or 1 differ from field to field, so that a value that lands in the wrong one shows.

    Biases and scales are drawn; the statistics are those of a random batch, so that no map is zero after ReLU.
    """
    draw = generator(seed)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.uniform_(0.0, 0.6, generator=draw)
        elif name.endswith("weight") and "Norm" in type(network.get_submodule(name.rpartition(".")[0])).__name__:
            parameter.uniform_(0.5, 1.5, generator=draw)
    norms = [module for module in network.modules() if hasattr(module, "momentum")]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    network(torch.rand(8, 3, SIDE, SIDE, generator=draw))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network


def minimum(name: str, *, head: str = "") -> catalog.NetworkSpec:
    return catalog.spec(name, minimum_width=True, head=head)


@cache
def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """(original in eval mode, served), with random norms."""
    original = randomize_norms_and_biases(build(minimum(name)))
    served = export(original, minimum(name).point_group)
    return original.eval(), served


def outputs_of_layers(network: nn.Module, names: list[str], picture: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """What each of the named layers gave, and the logits."""
    outputs: dict[str, Tensor] = {}
    handles = []
    for name in names:

        def hook(module: nn.Module, inputs: object, output: object, name: str = name) -> None:
            outputs[name] = getattr(output, "tensor", output)

        handles.append(network.get_submodule(name).register_forward_hook(hook))
    with torch.no_grad():
        logits = network(picture)
    for handle in handles:
        handle.remove()
    return outputs, logits


def relative(value: Tensor, reference: Tensor) -> float:
    return float((value.double() - reference.double()).norm() / reference.double().norm())


@pytest.mark.parametrize("name", NAMES)
def test_served_network_equals_the_original_layer_by_layer(name: str) -> None:
    original, served = pair(name)
    names = [layer for layer, _ in layers_of(served)]
    picture = torch.rand(2, 3, SIDE, SIDE, generator=generator(1))

    expected, expected_logits = outputs_of_layers(original, names, picture)
    outputs, logits = outputs_of_layers(served, names, picture.double())

    assert relative(logits, expected_logits) < ROUNDING
    for layer in names:
        assert expected[layer].any(), layer
        assert relative(outputs[layer], expected[layer]) < ROUNDING, layer


@pytest.mark.parametrize("name", ["p4-cnn", "d4-cnn", "so2-cnn"])
def test_norm_with_two_fields_exchanged_would_show(name: str) -> None:
    """The comparison above is no empty one."""
    original, served = pair(name)
    wrong = copy.deepcopy(served)
    norm = wrong.layer2.norm
    norm.weight.copy_(norm.weight.roll(norm.num_features // 2))
    picture = torch.rand(2, 3, SIDE, SIDE, generator=generator(1))
    with torch.no_grad():
        assert relative(wrong(picture.double()), original(picture)) > 100 * ROUNDING


@pytest.mark.parametrize("name", ["z2-cnn", "p4-resnet18", "d4-cnn", "so2-cnn"])
def test_served_network_without_group_pooling_equals_the_original(name: str) -> None:
    original = randomize_norms_and_biases(build(minimum(name, head="no-pooling")))
    served = export(original, minimum(name).point_group)
    picture = torch.rand(2, 3, SIDE, SIDE, generator=generator(1))
    with torch.no_grad():
        assert relative(served(picture.double()), original.eval()(picture)) < ROUNDING


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_carries_the_types_of_what_it_takes_and_gives(name: str) -> None:
    served = pair(name)[1]
    shapes: dict[str, tuple[Tensor, Tensor]] = {}
    copied = copy.deepcopy(served)
    for layer_name, layer in layers_of(copied):
        layer.register_forward_hook(
            lambda module, inputs, output, name=layer_name: shapes.update({name: (inputs[0], output)})
        )
    copied(torch.rand(1, 3, SIDE, SIDE, generator=generator(1), dtype=torch.float64))

    for layer_name, layer in layers_of(served):
        in_type, out_type = types_of(layer)
        if isinstance(layer, plain.Grey):
            continue
        features, output = shapes[layer_name]
        assert in_type is not None and in_type.channels == features.shape[1], layer_name
        assert out_type is not None and out_type.channels == output.shape[1], layer_name


@pytest.mark.parametrize("name", NAMES)
def test_served_network_is_made_of_plain_layers_alone(name: str) -> None:
    served = pair(name)[1]
    allowed = ("torch.nn.", "equivariance.layers.plain", "models.cnn", "models.resnet", "models.wide_resnet")
    for module_name, module in served.named_modules():
        assert type(module).__module__.startswith(allowed), module_name
    assert not served.training and not any(module.training for module in served.modules())
    assert {tensor.dtype for tensor in served.parameters()} == {torch.float64}
    assert not any(tensor.requires_grad for tensor in served.parameters())


@pytest.mark.parametrize("name", [name for name in NAMES if not str(name).startswith("z2")])
def test_served_kernels_and_biases_equal_their_group_average(name: str) -> None:
    group, served = minimum(name).point_group, pair(name)[1]
    convs = [(layer_name, layer) for layer_name, layer in layers_of(served) if isinstance(layer, nn.Conv2d)]
    assert convs
    for layer_name, conv in convs:
        in_type, out_type = types_of(conv)
        averaged = average_kernel(conv.weight, group, in_type=in_type, out_type=out_type)
        assert relative(conv.weight, averaged) < 2e-15, layer_name
        for element in group.pixel_exact_elements if conv.bias is not None else ():
            assert torch.equal(out_type.act(conv.bias, element, dim=0), conv.bias), layer_name


@pytest.mark.parametrize("name", ["p4-resnet18", "c4-resnet18-large", "d4-cnn", "so2-cnn", "so2-resnet18-large"])
def test_export_leaves_the_original_as_it_was(name: str) -> None:
    original = randomize_norms_and_biases(build(minimum(name)))
    before = {key: value.clone() for key, value in original.state_dict().items()}

    served = export(original, minimum(name).point_group)

    after = original.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[key]) and value.dtype == after[key].dtype for key, value in before.items())
    assert all(module.training for module in original.modules())
    assert all(parameter.requires_grad for parameter in original.parameters())
    shared = {p.data_ptr() for p in original.parameters()} & {p.data_ptr() for p in served.parameters()}
    assert not shared


def test_container_s_own_parameters_are_copied_too() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.register_buffer("offset", torch.zeros(1))
            self.inner = nn.ReLU()

        def forward(self, features: Tensor) -> Tensor:
            return self.inner(features) * self.scale + self.offset

    original = Scaled()
    served = export(original, C4)
    assert served.scale.dtype == served.offset.dtype == torch.float64
    assert original.scale.dtype == original.offset.dtype == torch.float32
    assert original.scale.requires_grad


@pytest.mark.parametrize("group", STEERABLE)
def test_filters_that_escnn_kept_before_new_weights_do_not_matter(group: str) -> None:
    network = minimum(f"{group}-cnn")
    new = {name: p.detach().clone() for name, p in build(network, seed=1).named_parameters()}
    stale = build(network, seed=0).eval()  # escnn expands and keeps its filters here
    kept = stale.layer2.conv.filter.clone()
    stale.load_state_dict(new, strict=False)
    assert torch.equal(stale.layer2.conv.filter, kept)  # the trap is real

    served, fresh = export(stale, network.point_group), serve(network, seed=1)

    for name, value in fresh.state_dict().items():
        assert torch.equal(served.state_dict()[name], value), name


@pytest.mark.parametrize("group", ["c4", "so2"])
def test_trained_weights_are_served_as_well_as_fresh_ones(group: str) -> None:
    network = minimum(f"{group}-cnn")
    original = build(network)
    optimizer = torch.optim.Adam(original.parameters(), lr=1e-2)
    for step in range(3):
        loss = original(torch.rand(4, 3, SIDE, SIDE, generator=generator(step))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    served = export(original, network.point_group)

    picture = torch.rand(1, 3, SIDE, SIDE, generator=generator(9))
    with torch.no_grad():
        assert relative(served(picture.double()), original.eval()(picture)) < ROUNDING


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_casting_a_served_network_leaves_other_networks_alone(dtype: torch.dtype) -> None:
    network = minimum("c4-cnn")
    other = build(network, seed=2)
    picture = torch.rand(2, 3, SIDE, SIDE, generator=generator(3))
    before = other(picture)

    serve(network, seed=1).to(dtype)

    assert {t.dtype for t in (*other.parameters(), *other.buffers()) if t.is_floating_point()} == {torch.float32}
    assert torch.equal(other.eval()(picture), copy_of_weights(other, network).eval()(picture))
    assert before.dtype == torch.float32


def copy_of_weights(network: nn.Module, spec: catalog.NetworkSpec) -> nn.Module:
    """A network built anew, with escnn's bases as they are now, and the weights of `network`."""
    built = build(spec)
    built.load_state_dict(network.train().state_dict())
    return built


def test_escnn_shares_its_bases_between_networks() -> None:
    """Why only exported networks may be cast."""
    bases = [
        {b.data_ptr() for name, b in build(minimum("c4-cnn"), seed=seed).named_buffers() if "basis" in name}
        for seed in (0, 1)
    ]
    assert bases[0] == bases[1] and bases[0]


def test_kernel_turned_the_wrong_way_is_refused_by_name() -> None:
    original = build(minimum("c4-resnet18"))
    conv = original.stage2.block1.conv2
    kernel, bias = conv.expand_parameters()
    conv.expand_parameters = lambda: (kernel.flip(-1), bias)
    with pytest.raises(
        ExportError, match=r"^stage2\.block1\.conv2: the kernel differs from its group average by \d\.\de-01"
    ):
        export(original, C4)


def test_kernel_slightly_off_is_refused_rather_than_repaired() -> None:
    original = build(minimum("d4-cnn"))
    conv = original.layer3.conv
    kernel, bias = conv.expand_parameters()
    noise = torch.randn(kernel.shape, generator=generator())
    conv.expand_parameters = lambda: (kernel + 1e-4 * kernel.std() * noise, bias)
    with pytest.raises(ExportError, match=r"^layer3\.conv: .* more than rounding"):
        export(original, minimum("d4-cnn").point_group)


@pytest.mark.parametrize("side", ["in_type", "out_type"])
def test_layer_whose_type_is_not_its_kernel_s_is_refused_by_name(side: str) -> None:
    original = build(minimum("c4-cnn"))
    conv = original.layer4.conv
    space = conv.in_type.gspace
    setattr(conv, side, escnn_nn.FieldType(space, [space.trivial_repr] * conv.in_type.size))
    with pytest.raises(ExportError, match=r"^layer4\.conv: the kernel differs"):
        export(original, C4)


def test_wrong_group_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^layer1\.conv: mirror has no action on regular fields"):
        export(build(minimum("c4-cnn")), catalog.GROUPS["d4"].point_group)


def hidden_of(group: str) -> escnn_nn.FieldType:
    return SteerableKit(catalog.GROUPS[group].point_group).hidden(4)


def own_relu(field_type: escnn_nn.FieldType) -> nn.Module:
    class OwnReLU(escnn_nn.ReLU):
        def forward(self, features: escnn_nn.GeometricTensor) -> escnn_nn.GeometricTensor:
            return super().forward(features)

    return OwnReLU(field_type)


def fourier_elu(sampling: str, samples: int) -> nn.Module:
    kit = SteerableKit(SO2)
    options = {"N": samples} | ({"seed": 0} if sampling == "rand" else {})
    return escnn_nn.FourierELU(kit.space, 2, kit._frequencies, type=sampling, inplace=False, **options)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: escnn_nn.NormNonLinearity(hidden_of("so2")), "NormNonLinearity has no plain equivalent"),
        (lambda: own_relu(hidden_of("c4")), "OwnReLU has no plain equivalent"),
        (lambda: escnn_nn.NormMaxPool(hidden_of("so2"), 2, dilation=2), "dilation or ceil mode"),
        (lambda: escnn_nn.NormMaxPool(hidden_of("so2"), 2, ceil_mode=True), "dilation or ceil mode"),
        (lambda: fourier_elu("rand", 16), "not equally spaced angles"),
    ],
    ids=["NormNonLinearity", "a user's own class", "dilation", "ceil mode", "random samples"],
)
def test_layer_without_a_plain_equivalent_is_refused_by_name(layer: object, reason: str) -> None:
    network = nn.Sequential()
    network.add_module("body", nn.Sequential(layer()))
    with pytest.raises(ExportError, match=rf"^body\.0: .*{reason}"):
        export(network, SO2)


def test_fields_that_are_not_orthogonal_are_refused_by_name() -> None:
    space = SteerableKit(C4).space
    skewed = space.fibergroup.regular_representation
    matrices = {element: skewed(element) for element in space.fibergroup.elements}
    stretch = torch.tensor([1.0, 2.0, 1.0, 1.0]).double().diag().numpy()
    unstretch = torch.tensor([1.0, 0.5, 1.0, 1.0]).double().diag().numpy()
    matrices = {element: stretch @ matrix @ unstretch for element, matrix in matrices.items()}
    with pytest.raises(ValueError, match="fields of stretched are not supported: their matrices are not orthogonal"):
        tabulated("stretched", dict(zip(C4.elements, matrices.values(), strict=True)))


def test_quotient_fields_and_sequences_are_served_as_they_are() -> None:
    space = SteerableKit(C4).space
    quotients = escnn_nn.FieldType(space, 2 * [space.quotient_repr(2)])
    body = escnn_nn.SequentialModule(escnn_nn.R2Conv(quotients, quotients, 3), escnn_nn.ReLU(quotients))
    features = torch.randn(1, quotients.size, 6, 6, generator=generator())
    with torch.no_grad():
        expected = body(escnn_nn.GeometricTensor(features, quotients)).tensor
    served = export(body, C4)
    assert isinstance(served, nn.Sequential)
    assert relative(served(features.double()), expected) < ROUNDING
    in_type, out_type = types_of(served[0])
    assert in_type is not None and in_type == out_type and in_type.channels == 4
    assert relative(served[0].weight, average_kernel(served[0].weight, C4, in_type=in_type, out_type=out_type)) < 2e-15


@pytest.mark.parametrize("samples", [8, 10, 16])
def test_plain_fourier_elu_is_escnn_s(samples: int) -> None:
    theirs = fourier_elu("regular", samples)
    ours = FourierELU(Harmonics(3), samples)
    features = torch.randn(2, 14, 5, 5, generator=generator())
    with torch.no_grad():
        expected = theirs(escnn_nn.GeometricTensor(features, theirs.in_type)).tensor
    assert relative(ours(features.double()), expected) < ROUNDING


@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_plain_max_pool_of_harmonics_is_escnn_s(kernel_size: int, stride: int, padding: int) -> None:
    theirs = escnn_nn.NormMaxPool(hidden_of("so2"), kernel_size, stride=stride, padding=padding)
    ours = plain.FieldMaxPool2d(7, kernel_size, stride, padding)
    features = torch.randn(2, 14, 9, 9, generator=generator())
    expected = theirs(escnn_nn.GeometricTensor(features, theirs.in_type)).tensor
    assert torch.equal(ours(features), expected)


def test_plain_pools_of_the_group_are_escnn_s() -> None:
    regulars, harmonics = hidden_of("d4"), hidden_of("so2")
    for theirs, ours in (
        (escnn_nn.GroupPooling(regulars), plain.GroupMaxPool(8)),
        (escnn_nn.NormPool(harmonics), plain.FieldLength(7)),
    ):
        features = torch.randn(2, theirs.in_type.size, 5, 5, generator=generator())
        expected = theirs(escnn_nn.GeometricTensor(features, theirs.in_type)).tensor
        assert relative(ours(features), expected) < 4 * EPS32


def test_layers_are_named_in_order_and_containers_left_out() -> None:
    network = nn.Sequential()
    network.add_module("a", nn.Conv2d(1, 1, 1))
    network.add_module("b", nn.Sequential(nn.ReLU(), nn.Identity()))
    network.add_module("c", nn.Sequential())
    assert [name for name, _ in layers_of(network)] == ["a", "b.0"]


def test_types_are_unknown_where_none_were_given() -> None:
    assert types_of(nn.ReLU()) == (None, None)
    assert types_of(plain.typed(nn.ReLU(), scalars(2), regular(C4, 1))) == (scalars(2), regular(C4, 1))
