"""Weights files: what is read, what is refused, and that they arrive."""

import errno
import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from equivariance.errors import WeightsError
from explorer.serving.weights import copy_weights, read_weights, save_weights, weights_from, weights_of
from explorer.serving.weights_header import header_of
from models.build import build, serve
from models.catalog import spec


@pytest.mark.parametrize("name", ["z2-cnn", "p4-resnet18", "d4-cnn", "so2-cnn"])
def test_saved_weights_give_the_same_logits_in_a_network_of_another_seed(name: str, tmp_path: Path) -> None:
    network = spec(name, minimum_width=True)
    original = build(network, seed=1)
    with torch.no_grad():  # statistics of a trained network, one number per field
        for value in weights_of(original).values():
            if value.is_floating_point():
                value.add_(torch.rand(value.shape, generator=torch.Generator().manual_seed(3)))
    path = tmp_path / "weights.safetensors"
    save_weights(original, path)
    weights = read_weights(path)
    picture = torch.rand(2, 3, 33, 33, generator=torch.Generator().manual_seed(0))

    loaded = serve(network, seed=2, prepare=lambda built: copy_weights(built, weights))

    with torch.no_grad():
        expected = original.eval()(picture).double()
        actual = loaded(picture.double())
    assert float((actual - expected).norm() / expected.norm()) < 1e-5
    assert float((serve(network, seed=2)(picture.double()) - expected).norm() / expected.norm()) > 1e-2


def test_files_hold_neither_bases_nor_expanded_filters(tmp_path: Path) -> None:
    network = build(spec("c4-cnn", minimum_width=True))
    path = tmp_path / "weights.safetensors"

    save_weights(network, path)

    names = set(read_weights(path).tensors)
    assert {name for name, _ in network.named_parameters()} <= names
    assert not [name for name in names if "basis" in name or "filter" in name]


def test_weights_of_another_network_are_refused_by_tensor_and_shape_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(build(spec("p4-cnn")), path)
    network = build(spec("p4-cnn", minimum_width=True))
    before = {name: value.clone() for name, value in weights_of(network).items()}

    with pytest.raises(WeightsError, match=r"layer1\.conv\.weight is 10×3×1×3×3 instead of 3×3×1×3×3.* more\.$"):
        copy_weights(network, read_weights(path))

    assert all(torch.equal(value, before[name]) for name, value in weights_of(network).items())


def test_a_missing_and_an_unknown_tensor_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(build(spec("p4-knight")), path)

    with pytest.raises(WeightsError, match=r"layer1\.conv\.weight is missing"):
        copy_weights(build(spec("p4-cnn", minimum_width=True)), read_weights(path))


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"not tensors at all", b"\xff" * 64])
def test_files_that_are_not_safetensors_are_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)

    with pytest.raises(WeightsError, match="is not a safetensors file"):
        read_weights(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nothing\.safetensors' cannot be read \(No such file"):
        read_weights(tmp_path / "nothing.safetensors")


def test_what_trained_them_travels_with_the_weights_in_bytes_as_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    network = build(spec("p4-knight"))
    save_weights(network, path, {"recipe": '{"size_px": 33}', "classes": '["knight", "turned knight"]'})

    weights = weights_from(path.read_bytes(), "mine")

    assert (
        weights.metadata
        == read_weights(path).metadata
        == {
            "recipe": '{"size_px": 33}',
            "classes": '["knight", "turned knight"]',
        }
    )
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(torch.equal(weights.tensors[name], value) for name, value in weights_of(network).items())


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(build(spec("p4-knight"), seed=1), path)
    before = path.read_bytes()

    def full(part: Path, data: bytes) -> int:
        part.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_weights(build(spec("p4-knight"), seed=2), path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# ------------------------------------------------------------------------------------------- state dicts from elsewhere


def logits_with(name: str, data: bytes) -> torch.Tensor:
    weights = weights_from(data, "mine")
    served = serve(spec(name, minimum_width=True), seed=2, prepare=lambda built: copy_weights(built, weights))
    with torch.no_grad():
        return served(torch.rand(1, 3, 33, 33, generator=torch.Generator().manual_seed(0)).double())


@pytest.mark.parametrize("name", ["p4-cnn", "c4-cnn", "so2-cnn"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model.model."])
def test_the_state_dict_of_the_same_network_is_read_in_any_mode_and_wrapped(
    name: str, training: bool, prefix: str
) -> None:
    network = build(spec(name, minimum_width=True), seed=1).train(training)
    data = save({prefix + each: value.contiguous().clone() for each, value in network.state_dict().items()})

    expected = serve(spec(name, minimum_width=True), seed=1)(
        torch.rand(1, 3, 33, 33, generator=torch.Generator().manual_seed(0)).double()
    )

    assert torch.allclose(logits_with(name, data), expected.detach(), rtol=1e-9)
    assert header_of(data, "mine").classes == tuple(map(str, range(10)))


def test_a_part_that_was_compiled_alone_is_read() -> None:
    network = build(spec("p4-cnn", minimum_width=True), seed=1)
    named = {
        each.replace("layer1.", "layer1._orig_mod."): value.clone() for each, value in network.state_dict().items()
    }
    copy_weights(build(spec("p4-cnn", minimum_width=True)), weights_from(save(named), "mine"))


def test_weights_for_another_basis_are_refused() -> None:
    network = build(spec("c4-cnn", minimum_width=True))
    state = {each: value.contiguous().clone() for each, value in network.state_dict().items()}
    basis = next(each for each in state if each.endswith("sampled_basis"))
    state[basis] *= 1.1

    sentence = r"^These weights are of another network: layer1\.conv\..* is of another basis\.$"
    with pytest.raises(WeightsError, match=sentence):
        copy_weights(network, weights_from(save(state), "mine"))


def test_names_that_differ_by_a_prefix_alone_are_refused() -> None:
    data = save({"module.conv.weight": torch.ones(1), "conv.weight": torch.zeros(1)})
    for read in (weights_from, header_of):
        with pytest.raises(WeightsError, match="two of its tensors have the same name but for a prefix"):
            read(data, "mine")


def test_what_no_layer_has_is_still_named() -> None:
    state = {each: value.clone() for each, value in build(spec("p4-cnn", minimum_width=True)).state_dict().items()}
    with pytest.raises(WeightsError, match=r"layer9.filter does not belong to any layer\.$"):
        copy_weights(
            build(spec("p4-cnn", minimum_width=True)),
            weights_from(save({**state, "layer9.filter": torch.ones(1)}), "mine"),
        )
