"""The registry: which networks there are, how large they are, and that a seed decides their weights."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from equivariance.groups.point_groups import C4, C8, D4, D8, SO2, Z2
from equivariance.layers.export import layers_of, types_of
from equivariance.layers.plain import FieldLength, GroupMaxPool
from models import catalog
from models.blocks import FullKit
from models.build import _CHANGES, build, kernel_sizes, parameters, serve, subsampled
from models.catalog import FAMILIES, GROUPS, LARGER_KERNELS, NAMES, SUBSAMPLINGS, NetworkSpec, spec

# A network that is added to the registry has to be added here, and so to the tests that follow.
GROUP_NAMES = ("z2", "p4", "p4m", "c4", "d4", "c8", "d8", "so2")
FAMILY_NAMES = ("cnn", "knight", "resnet18", "resnet44", "resnet18-large", "wide-resnet-10-4")
CHEAP = ("z2", "p4", "p4m")
COMPARABLE = 0.2  # of the largest: how much smaller a comparable number of parameters may be


def minimum(name: str, *, head: str = "") -> catalog.NetworkSpec:
    return spec(name, minimum_width=True, head=head)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_registry_is_what_these_tests_know() -> None:
    assert set(NAMES) == {f"{group}-{family}" for group in GROUP_NAMES for family in FAMILY_NAMES}
    assert len(NAMES) == len(set(NAMES)) == len(GROUPS) * len(FAMILIES)


def test_every_group_has_its_symmetry_and_kind_of_filter() -> None:
    groups = {name: (group.point_group, group.filters) for name, group in GROUPS.items()}
    assert groups == {
        "z2": (Z2, "plain"),
        "p4": (C4, "full"),
        "p4m": (D4, "full"),
        "c4": (C4, "steerable"),
        "d4": (D4, "steerable"),
        "c8": (C8, "steerable"),
        "d8": (D8, "steerable"),
        "so2": (SO2, "steerable"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_name_is_read_back_from_its_spec(name: str) -> None:
    network = spec(name)
    assert network.name == name
    assert network.point_group == GROUPS[name.partition("-")[0]].point_group


@pytest.mark.parametrize("name", ["", "p4", "p4-", "p5-cnn", "p4-resnet", "resnet18", "P4-cnn", "p4-cnn "])
def test_unknown_name_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError, match=repr(name)):
        spec(name)


@pytest.mark.parametrize(("name", "count"), [("p4-cnn", 24_990), ("z2-cnn", 25_570)])
def test_mnist_networks_have_the_parameters_of_the_authors_logs(name: str, count: int) -> None:
    assert parameters(spec(name)) == count


def test_knight_has_fourteen_parameters() -> None:
    assert parameters(spec("p4-knight")) == 14


def test_p4_cnn_has_ten_fields() -> None:
    assert build(spec("p4-cnn")).layer1.conv.out_type.fields == 10


@pytest.mark.parametrize("family", [family for family in FAMILY_NAMES if family != "knight"])
def test_full_filters_have_as_many_parameters_as_plain_ones(family: str) -> None:
    counts = {group: parameters(spec(f"{group}-{family}")) for group in CHEAP}
    assert min(counts.values()) > (1 - COMPARABLE) * max(counts.values()), counts


@pytest.mark.full
@pytest.mark.parametrize("family", [family for family in FAMILY_NAMES if family != "knight"])
def test_all_groups_have_comparable_numbers_of_parameters(family: str) -> None:
    counts = {group: parameters(spec(f"{group}-{family}")) for group in GROUP_NAMES}
    assert min(counts.values()) > (1 - COMPARABLE) * max(counts.values()), counts


@pytest.mark.parametrize("name", NAMES)
def test_minimum_width_is_small(name: str) -> None:
    assert parameters(minimum(name)) < 60_000


@pytest.mark.parametrize("name", ["z2-cnn", "p4-cnn", "p4m-resnet18", "c4-cnn", "so2-cnn", "d4-knight"])
def test_seed_decides_the_weights(name: str) -> None:
    first, again, other = (weights(build(minimum(name), seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", ["p4-cnn", "c4-cnn"])
def test_served_weights_are_decided_by_the_seed_too(name: str) -> None:
    first, again, other = (weights(serve(minimum(name), seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", ["z2-cnn", "p4m-resnet18", "c8-resnet18-large", "so2-wide-resnet-10-4"])
def test_kernel_sizes_are_those_of_the_served_network(name: str) -> None:
    state = torch.get_rng_state()
    sizes = kernel_sizes(minimum(name))
    kernels = [layer.weight.numel() for _, layer in layers_of(serve(minimum(name))) if isinstance(layer, nn.Conv2d)]
    assert sorted(sizes) == sorted(kernels)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_way_to_sample_is_one_that_networks_are_built_with() -> None:
    assert {"published", *_CHANGES} == {*SUBSAMPLINGS, LARGER_KERNELS}


def test_network_is_sampled_as_its_spec_says_and_left_as_it_is_otherwise() -> None:
    published, changed = minimum("p4-cnn"), {}
    built = build(published)
    for subsampling in (*SUBSAMPLINGS, LARGER_KERNELS):
        changed[subsampling] = subsampled(built, replace(published, subsampling=subsampling)).eval()
    picture = torch.rand(1, 3, 29, 29, generator=torch.Generator().manual_seed(0))

    assert changed["published"] is built
    answers = [network(picture) for network in changed.values()]
    assert all(not torch.equal(one, other) for one, other in itertools.combinations(answers, 2))
    only = subsampled(built, replace(published, subsampling="symmetric", only=("layer1.conv",)))
    assert torch.equal(only(picture), answers[0])  # a layer that has nothing to centre


@pytest.mark.parametrize("name", ["z2-cnn", "p4m-resnet18", "c8-resnet18-large", "so2-knight"])
def test_shared_layers_have_the_parameters_of_the_network_as_built(name: str) -> None:
    assert parameters(minimum(name)) == weights(build(minimum(name))).numel()


@pytest.mark.parametrize("count", [kernel_sizes, parameters.__wrapped__])
def test_counting_leaves_the_kit_as_it_was(
    count: Callable[[NetworkSpec], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = FullKit(C4)
    monkeypatch.setattr("models.build._kit", lambda group: kit)
    count(minimum("p4-cnn"))
    assert vars(kit) == {"group": C4}


@pytest.mark.parametrize("name", ["z2-cnn", "p4-cnn", "c4-cnn", "so2-knight"])
def test_global_generator_is_left_as_it_was(name: str) -> None:
    state = torch.get_rng_state()
    serve(minimum(name), seed=5)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["z2-cnn", "p4-resnet18", "c4-cnn"])
def test_network_is_built_in_training_mode_with_gradients(name: str) -> None:
    network = build(minimum(name))
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "planes"), [("p4-cnn", 40), ("p4m-cnn", 56), ("c4-knight", 4), ("so2-knight", 7), ("d8-knight", 16)]
)
def test_without_group_pooling_the_classifier_takes_every_channel(name: str, planes: int) -> None:
    pooled, whole = (dict(layers_of(serve(spec(name, head=head)))) for head in ("", "no-pooling"))

    in_type, out_type = types_of(whole["head.classifier"])
    assert whole["head.classifier"].in_features == in_type.channels == planes
    assert out_type is None  # no element acts on these logits
    assert not any(isinstance(layer, GroupMaxPool | FieldLength) for layer in whole.values())

    in_type, out_type = types_of(pooled["head.classifier"])
    assert pooled["head.classifier"].in_features == in_type.channels == in_type.fields
    assert out_type is not None and out_type.is_scalar
    assert "head.group_pool" in pooled


def test_plain_network_has_no_group_to_pool() -> None:
    first, second = (serve(spec("z2-cnn", head=head)) for head in ("", "no-pooling"))
    assert [name for name, _ in layers_of(first)] == [name for name, _ in layers_of(second)]
    assert types_of(second.head.classifier)[1] is not None


@pytest.mark.parametrize("classes", [2, 7])
def test_number_of_classes_can_be_chosen(classes: int) -> None:
    network = catalog.NetworkSpec("p4", "cnn", minimum_width=True, classes=classes)
    assert build(network).eval()(torch.zeros(1, 3, 28, 28)).shape == (1, classes)


@pytest.mark.parametrize("name", [f"{group}-{family}" for family in FAMILY_NAMES for group in CHEAP])
def test_network_gives_one_row_of_logits_for_each_picture(name: str) -> None:
    logits = build(minimum(name)).eval()(torch.zeros(3, 3, 33, 33))
    assert logits.shape == (3, FAMILIES[name.partition("-")[2]].classes)
