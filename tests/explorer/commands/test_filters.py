"""`python -m explorer filters`: by layer how lopsided the mean filters are, as a table and as JSON."""

import json
from pathlib import Path

import pytest
import torch

from equivariance.measurement.mean_filters import kernel_lopsidedness, lopsidedness, mean_filters
from explorer.commands.main import main
from explorer.serving.weights import save_weights
from models.build import build
from models.catalog import NetworkSpec

NETWORK = NetworkSpec("p4", "cnn", minimum_width=True)
CNN = ("--network", "p4-cnn", "--minimum-width")


def lopsided_file(folder: Path) -> str:
    """Weights of the network, drawn from seed 3, whose kernels of layer 3 have a heavy right column."""
    network = build(NETWORK, seed=3)
    with torch.no_grad():
        network.get_submodule("layer3.conv").weight[..., -1] += 5.0
    path = folder / "lopsided.safetensors"
    save_weights(network, path)
    return str(path)


def test_random_weights_are_those_of_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["filters", *CNN, "--seed", "3", "--json"]) == 0

    found = {each["layer"]: each for each in json.loads(capsys.readouterr().out)}
    expected = mean_filters(build(NETWORK, seed=3))
    assert list(found) == list(expected) and len(found) == 7
    for name, filters in expected.items():
        torch.testing.assert_close(torch.tensor(found[name]["filters"]), filters.float())
        assert found[name]["lopsidedness"] == pytest.approx(lopsidedness(filters).tolist(), abs=1e-5)
        assert found[name]["random_lopsidedness"] is None
    kernels = {name: each["kernel_lopsidedness"] for name, each in found.items()}
    assert kernels == pytest.approx(kernel_lopsidedness(build(NETWORK, seed=3)), abs=1e-5)


def test_a_lopsided_layer_stands_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = lopsided_file(tmp_path)
    assert main(["filters", *CNN, "--seed", "3", "--weights", path, "--json"]) == 0
    found = {each["layer"]: each for each in json.loads(capsys.readouterr().out)}

    assert found["layer2.conv"]["lopsidedness"] == found["layer2.conv"]["random_lopsidedness"]
    assert min(px for _, px in found["layer3.conv"]["lean_px"]) > 0.7  # to the right, in every filter
    assert max(abs(px) for px, _ in found["layer3.conv"]["lean_px"]) < 0.1
    assert main(["filters", *CNN, "--seed", "3", "--weights", path]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines["layer"].split("  ")[0] == "layer" and "random, seed 3" in lines["layer"]
    assert "4 of 3×3" in lines["layer3.conv"] and "4 of 4×4" in lines["layer7.conv"]


def test_layers_keep_their_names_where_subsampling_is_mended(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for option in ((), ("--symmetric-subsampling",)):
        assert main(["filters", "--network", "z2-resnet18", "--minimum-width", *option]) == 0
        printed.append([line.split()[0] for line in capsys.readouterr().out.splitlines() if "×" in line])

    assert printed[0] == printed[1] and "stage2.block1.conv1" in printed[0]


def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["filters", "--network", "p4-nothing"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
