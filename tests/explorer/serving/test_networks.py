"""Networks kept for all visitors: cast layer by layer, theory in float64, room made first, refused where none is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import explorer.serving.memory as memory
import explorer.serving.networks as networks_module
from equivariance.errors import NetworkError
from equivariance.layers.export import layers_of
from equivariance.theory.exactness import Structure, predict
from explorer.errors import DeviceError
from explorer.serving.memory import Budget
from explorer.serving.networks import Networks, key_of
from models.build import serve
from models.catalog import NetworkSpec, spec

CNN = spec("p4-cnn", minimum_width=True)
MEBIBYTE = 2**20


def networks(cache_bytes: int = 2**30, memory: Budget | None = None) -> Networks:
    return Networks(cache_bytes, memory or Budget(None), lambda dtype: torch.device("cpu"))


@pytest.mark.parametrize("name", ["p4m-resnet18", "c8-cnn", "so2-cnn"])
@pytest.mark.parametrize("subsampling", ["published", "symmetric", "antialiased"])
def test_theory_of_a_cast_network_is_that_of_the_float64_one(name: str, subsampling: str) -> None:
    network = spec(name, minimum_width=True, subsampling=subsampling)
    single = networks().served(key_of(network, 0, "float32"))
    expected = Structure(serve(network), network.point_group)

    assert all(value.dtype == torch.float32 for value in single.network.parameters())
    assert single.structure.weight_errors == expected.weight_errors
    sizes = {"height_px": 32, "width_px": 33}
    assert predict(single.structure, **sizes) == predict(expected, **sizes)


def test_broken_weights_are_found_before_the_cast_hides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of 1e-8 is far above the rounding of float64 and below that of float32."""

    def slightly_broken(network: NetworkSpec, *, finish: Callable[[str, nn.Module], None], **options: Any) -> nn.Module:
        def spoil(name: str, layer: nn.Module) -> None:
            if name == "layer1.conv":
                layer.weight.data[0, 0, 0, 0] += 1e-8 * layer.weight.data.norm()
            finish(name, layer)

        return serve(network, finish=spoil, **options)

    monkeypatch.setattr(networks_module, "serve", slightly_broken)
    assert set(networks().served(key_of(CNN, 0, "float32")).structure.weight_errors) == {"layer1.conv"}


def test_no_more_than_one_layer_is_float64_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    doubles: list[int] = []
    seen: list[nn.Module] = []

    def watched(network: NetworkSpec, *, finish: Callable[[str, nn.Module], None], **options: Any) -> nn.Module:
        def count(name: str, layer: nn.Module) -> None:
            seen.append(layer)
            doubles.append(sum(any(p.dtype == torch.float64 for p in each.parameters()) for each in seen))
            finish(name, layer)

        return serve(network, finish=count, **options)

    monkeypatch.setattr(networks_module, "serve", watched)
    network = spec("c8-resnet18", minimum_width=True)
    served = networks().served(key_of(network, 0, "float32"))
    assert max(doubles) == 1
    assert {id(layer) for _, layer in layers_of(served.network)} <= {id(layer) for layer in seen}


def test_room_is_made_before_a_network_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = networks()
    kept.cache_bytes = int(1.5 * kept.served(key_of(CNN, 0, "float32")).bytes)
    keys_while_building: list[int] = []

    def watched(network: NetworkSpec, **options: Any) -> nn.Module:
        keys_while_building.append(len(kept._kept))
        return serve(network, **options)

    monkeypatch.setattr(networks_module, "serve", watched)
    kept.served(key_of(CNN, 1, "float32"))
    assert keys_while_building == [0]


def test_theory_outlives_the_network() -> None:
    kept = networks(cache_bytes=0)
    first, second = key_of(CNN, 0, "float32"), key_of(CNN, 1, "float32")
    structure = kept.served(first).structure
    kept.served(second)
    assert kept.kept(first) is None and kept.structure(first) is structure
    assert kept.structure(key_of(CNN, 2, "float32")) is None


def test_network_that_memory_cannot_hold_is_refused_in_one_sentence_and_not_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "held_bytes", lambda: 500 * MEBIBYTE)
    monkeypatch.setattr(memory, "_spare", lambda: None)
    monkeypatch.setattr(networks_module, "serve", lambda *_, **__: pytest.fail("built"))
    kept = networks(memory=Budget(600 * MEBIBYTE))

    with pytest.raises(DeviceError) as caught:
        kept.served(key_of(spec("p4-resnet18"), 0, "float32"))

    assert str(caught.value) == (
        "p4-resnet18 needs 70 MB of memory, and 40 MB are left: choose a narrower network, or raise "
        "EXPLORER_MEMORY_MB where there is more."
    )
    assert kept._kept._making == {}


def test_nothing_is_held_after_a_network_that_could_not_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, key = networks(), key_of(CNN, 0, "float32")

    def broken(network: NetworkSpec, **options: Any) -> nn.Module:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(networks_module, "serve", broken)
        with pytest.raises(MemoryError):
            kept.served(key)

    assert kept._kept._making == {}
    assert kept.kept(key) is None and kept.structure(key) is None
    assert kept.served(key) is kept.kept(key)


def test_theory_used_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks_module, "_KEPT_STRUCTURES", 2)
    kept = networks(cache_bytes=0)
    keys = [key_of(CNN, seed, "float32") for seed in range(3)]
    first = kept.served(keys[0]).structure
    kept.served(keys[1])
    assert kept.structure(keys[0]) is first
    kept.served(keys[2])

    assert kept.structure(keys[0]) is first
    assert kept.structure(keys[1]) is None


def test_layer_that_the_network_does_not_have_is_named() -> None:
    with pytest.raises(NetworkError, match=r"^p4-cnn has no layer stem: see"):
        networks().served(key_of(spec("p4-cnn", subsampling="symmetric", only=("stem",)), 0, "float32"))
