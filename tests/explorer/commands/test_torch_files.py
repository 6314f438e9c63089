"""Weights in torch's own files: the same function on the command line, one sentence for what is none, nothing run."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from equivariance.errors import WeightsError
from explorer.commands.main import main
from explorer.commands.torch_files import is_torch_file, safetensors_of
from explorer.serving.weights import weights_of
from models.build import build
from models.catalog import spec
from tests.support import ROOT

CNN = spec("p4-cnn", minimum_width=True)


@pytest.mark.parametrize("wrappers", [(), ("state_dict",), ("model",), ("model_state_dict",), ("model", "state_dict")])
@pytest.mark.parametrize("suffix", [".pt", ".PTH", ".ckpt"])
def test_a_state_dict_is_unwrapped(wrappers: tuple[str, ...], suffix: str, tmp_path: Path) -> None:
    network = build(CNN, seed=1)
    saved: dict[str, Any] = dict(network.state_dict())
    for wrapper in wrappers:
        saved = {"epoch": 3, wrapper: saved}
    path = tmp_path / f"mine{suffix}"
    torch.save(saved, path)

    tensors = load(safetensors_of(path))

    assert is_torch_file(str(path))
    assert all(torch.equal(tensors[name], value) for name, value in weights_of(network).items())


def test_measure_reads_the_weights_of_a_lightning_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = build(CNN, seed=1)
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {f"model.{name}": value for name, value in network.state_dict().items()}}, path)
    command = ["measure", "--network", "p4-cnn", "--minimum-width", "--size", "28", "--json"]

    assert main([*command, "--weights", str(path)]) == 0
    from_file = capsys.readouterr().out
    assert main([*command, "--seed", "1"]) == 0

    logits = re.compile(r'"logits".*', re.DOTALL)
    assert logits.findall(from_file) == logits.findall(capsys.readouterr().out)


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path, made = tmp_path / "evil.pt", tmp_path / "made"
    torch.save({"state_dict": Evil(str(made))}, path)

    with pytest.raises(WeightsError, match=r"^'evil.pt' is damaged, or holds more than tensors and is not read"):
        safetensors_of(path)
    assert not made.exists()


@pytest.mark.parametrize("saved", [{}, {"epoch": 3}, [1, 2], {"state_dict": {"lr": 0.1}}, 5])
def test_a_file_without_tensors_by_name_is_one_sentence(saved: object, tmp_path: Path) -> None:
    path = tmp_path / "odd.pt"
    torch.save(saved, path)
    with pytest.raises(WeightsError, match=r"^'odd.pt' holds no tensors by name: give [^\n]*\.$"):
        safetensors_of(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not tensors at all", b"\x80\x04K\x01."])
def test_damaged_files_are_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"^'odd.pt' (is damaged|holds no tensors)[^\n]*\.$"):
        safetensors_of(tmp_path / "odd.pt")


def test_a_dictionary_that_holds_itself_ends(tmp_path: Path) -> None:
    saved: dict[str, Any] = {}
    saved["model"] = saved
    torch.save(saved, tmp_path / "odd.pt")
    with pytest.raises(WeightsError):
        safetensors_of(tmp_path / "odd.pt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nothing\.pt' cannot be read \(No such file"):
        safetensors_of(tmp_path / "nothing.pt")


def test_only_the_command_line_reads_such_files() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("equivariance", "models", "explorer")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"torch\.load\(|torch_files import|pickle\.load", path.read_text(encoding="utf-8"))
    ]
    assert sorted(readers) == ["explorer/commands/options.py", "explorer/commands/torch_files.py"]
