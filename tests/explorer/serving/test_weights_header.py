"""The header of a weights file: what it tells, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from equivariance.errors import WeightsError
from explorer.pages.widgets.trained import _described
from explorer.runs.starts import check_network
from explorer.serving.weights import read_weights, save_weights
from explorer.serving.weights_header import Header, header_of, read_bytes
from models.build import build
from models.catalog import spec
from tests.support import ROOT

DEEP = "[" * 200_000  # more than can be read
SENTENCE = r"^'odd' is not a safetensors file \([^\n]*\): pickled weights are never read\.$"


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    path = tmp_path / "weights.safetensors"
    save_weights(build(spec("c4-cnn", minimum_width=True)), path, {"classes": json.dumps([*"abcdefghij"])})
    return path.read_bytes()


def test_the_header_names_classes_and_shapes(data: bytes) -> None:
    header = header_of(data, "mine")

    assert header.classes == tuple("abcdefghij")
    assert header.shapes["head.classifier.bias"] == (10,)


@pytest.mark.parametrize("classes", [None, "{", DEEP, "[1, 2, 3]", '["a", "b"]', '{"a": 1}'])
def test_classes_without_good_names_are_numbered(classes: str | None) -> None:
    metadata = {} if classes is None else {"classes": classes}

    assert Header("", metadata, {"head.classifier.weight": (3, 40)}).classes == ("0", "1", "2")
    assert Header("", metadata).classes == ()


def test_a_header_is_read_without_torch(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(data)
    code = "import sys; from pathlib import Path; from explorer.serving.weights_header import *; "
    code += "header_of(read_bytes(Path(sys.argv[1])), 'a'); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path / "a.safetensors")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout == "False\n"


@pytest.mark.parametrize("recipe", [DEEP, "[]", '{"epochs": 1' + "0" * 400 + "}", '{"network": 1}'])
def test_an_unreadable_recipe_leaves_the_weights_as_they_are(recipe: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_weights(build(spec("p4-knight")), path, {"recipe": recipe, "classes": DEEP})

    trained = _described("file", "mine", header_of(path.read_bytes(), "mine"), path)

    assert (trained.recipe, trained.header.classes) == (None, ("0", "1"))
    if recipe != '{"network": 1}':
        check_network(read_weights(path), "p4-knight")


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x08",
        b"\xff" * 64,
        b"\x04" + bytes(7) + b"null",
        b"\x02" + bytes(7) + b"[]",
        b"\x07" + bytes(7) + b'{"a":1}',
        b"\x18" + bytes(7) + b'{"__metadata__": "words"}'[:24],
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        b"\x1b" + bytes(7) + b'{"conv": {"shape": [1e999]}}'[:27],
        b"\x1c" + bytes(7) + b'{"conv": {"shape": [1e999]}}',
    ],
    ids=["empty", "short", "too long", "null", "list", "number", "words", "deep", "cut", "endless"],
)
def test_bytes_that_are_not_weights_give_one_sentence(damaged: bytes) -> None:
    with pytest.raises(
        WeightsError, match=r"^'odd' is not a safetensors file \([^\n]*\): pickled weights are never read\.$"
    ):
        header_of(damaged, "odd")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.serving.weights_header.MAX_BYTES", 8)
    (tmp_path / "large.safetensors").write_bytes(bytes(9))

    with pytest.raises(WeightsError, match="more than 8 bytes"):
        read_bytes(tmp_path / "large.safetensors")
