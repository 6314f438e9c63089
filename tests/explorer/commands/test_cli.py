"""The command line: run as processes for what only a process shows, in this process for the rest."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from PIL import Image

from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.commands.documents import measure_document
from explorer.commands.main import main
from explorer.pictures.fitting import fit
from explorer.pictures.images import GALLERY, load_gallery
from explorer.serving.engine import Engine, Inspection, Request
from explorer.serving.weights import save_weights
from explorer.settings import Settings
from explorer.studies.breaking import Attempt, Training
from explorer.studies.sweep import SizeResult
from models.build import build
from models.catalog import NAMES, spec
from tests.support import ROOT
from tests.support.seeded_weights import weights_of_seed

RESNET = ("--network", "p4-resnet18", "--minimum-width")
CNN = ("--network", "p4-cnn", "--minimum-width")
ELEMENTS = ["rot90", "rot180", "rot270"]
DOCUMENT_KEYS = {
    "network", "group", "height_px", "width_px", "device", "dtype", "verdict", "first_broken_layer", "broken_layers",
    "elements", "reason", "exact_sizes_px", "layers", "output_error",
}  # fmt: skip
LAYER_KEYS = {
    "name", "kind", "in_hw", "out_hw", "kernel", "stride", "padding", "remainder", "displacement_px", "error",
    "own_error",
}  # fmt: skip


class Ran(NamedTuple):
    status: int
    out: str
    err: str


def run(*arguments: str) -> Ran:
    """`python -m explorer` with `arguments`, as a process."""
    command = [sys.executable, "-m", "explorer", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, encoding="utf-8", timeout=120)
    return Ran(ended.returncode, ended.stdout, ended.stderr)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EXPLORER_")}
    return {**kept, "EXPLORER_DEVICE": "cpu", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same in this process, which saves the start."""
    monkeypatch.setenv("EXPLORER_DEVICE", "cpu")

    def call(*arguments: str) -> Ran:
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        return Ran(status, *capsys.readouterr())

    return call


def strictly(text: str) -> Any:
    """What a strict reader makes of JSON: no NaN, no Infinity."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def assert_one_line_about_bad_input(ran: Ran, *words: str) -> None:
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1 and ran.err.endswith("\n")
    for word in words:
        assert word in ran.err


# --------------------------------------------------------------------------------------------------------- as processes


@pytest.mark.full  # builds all of them
def test_networks_lists_every_network_as_json() -> None:
    ran = run("networks", "--json")
    rows = strictly(ran.out)

    assert (ran.status, ran.err) == (0, "")
    assert [row["name"] for row in rows] == list(NAMES) and len(rows) == 48
    assert all(set(row) == {"name", "group", "family", "parameters", "smallest_px"} for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert by_name["p4-cnn"]["parameters"] == 24_990  # Cohen and Welling 2016, table 1
    assert by_name["p4m-resnet44"]["group"] == "d4" and by_name["p4m-resnet44"]["family"] == "resnet44"
    assert by_name["p4-cnn"]["smallest_px"] == 8


def test_networks_says_what_each_has_and_needs(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.commands.main.NAMES", ("p4-cnn", "z2-knight"))

    rows = strictly(call("networks", "--json").out)

    assert rows[0] == {"name": "p4-cnn", "group": "c4", "family": "cnn", "parameters": 24_990, "smallest_px": 8}
    assert [row["name"] for row in rows] == ["p4-cnn", "z2-knight"]


def test_measure_prints_a_table() -> None:
    ran = run("measure", *RESNET, "--size", "33")
    lines = ran.out.splitlines()

    assert (ran.status, ran.err) == (0, "")
    assert lines[0] == "Exactly equivariant to quarter turns at 33 px."
    assert lines[3].split() == ["layer", "in", "out", *ELEMENTS]
    assert lines[4].startswith("stem.conv") and lines[4].split()[1:3] == ["33", "33"]
    assert all(float(error) < ROUNDING_LEVEL["float32"] for line in lines[4:-3] for error in line.split()[-3:])
    assert lines[-4].startswith("logits") and lines[-2].startswith("Errors are inherited: ")
    assert re.fullmatch(r"Measured on CPU · \d+ threads? in float32\.", lines[-1])


def test_measure_at_32_px_is_one_json_document_by_contract() -> None:
    ran = run("measure", *RESNET, "--size", "32", "--dtype", "float64", "--json")
    document = strictly(ran.out)

    assert (ran.status, ran.err) == (0, "")
    assert set(document) >= DOCUMENT_KEYS
    assert document["verdict"] == "approximate"
    assert document["first_broken_layer"] == document["broken_layers"][0] == "stage2.block1.conv1"
    assert document["elements"] == dict.fromkeys(ELEMENTS, "broken")
    assert document["exact_sizes_px"] == {"height": [25, 33], "width": [25, 33]}
    assert (document["network"], document["group"], document["device"]) == ("p4-resnet18", "c4", "cpu")
    assert (document["height_px"], document["width_px"], document["dtype"]) == (32, 32, "float64")
    assert all(set(layer) == LAYER_KEYS for layer in document["layers"])
    layer = next(layer for layer in document["layers"] if layer["name"] == "stage2.block1.conv1")
    assert (layer["kind"], layer["in_hw"], layer["out_hw"]) == ("Conv2d", [32, 32], [16, 16])
    assert (layer["kernel"], layer["stride"], layer["padding"]) == ([3, 3], [2, 2], [1, 1])
    assert (layer["remainder"], layer["displacement_px"]) == ([1, 1], [-0.5, -0.5])
    assert list(layer["error"]) == list(layer["own_error"]) == list(document["output_error"]) == ELEMENTS
    assert min(layer["own_error"].values()) > 1e-4 > 1e-10 > max(document["layers"][0]["error"].values())


def test_picture_that_is_not_square_has_two_sides() -> None:
    ran = run("measure", *RESNET, "--size", "30x33", "--dtype", "float64", "--json", "--picture", "cat")
    document = strictly(ran.out)

    assert ran.status == 0
    assert (document["height_px"], document["width_px"]) == (30, 33)
    assert document["exact_sizes_px"] == {"height": [25, 33], "width": [25, 41]}
    assert document["elements"] == {"rot90": "exact", "rot180": "broken", "rot270": "broken"}
    assert max(layer["error"]["rot90"] for layer in document["layers"]) < ROUNDING_LEVEL["float64"]
    assert document["output_error"]["rot180"] > 1e-4


def test_sizes_with_measurement_is_one_json_list() -> None:
    ran = run("sizes", *RESNET, "--from", "31", "--to", "33", "--measure", "--json", "--dtype", "float64")
    rows = strictly(ran.out)

    assert (ran.status, ran.err) == (0, "")
    assert [row["size_px"] for row in rows] == [31, 32, 33]
    assert [row["predicted"] for row in rows] == [False, False, True]
    assert [row["first_broken_layer"] for row in rows] == ["stage3.block1.conv1", "stage2.block1.conv1", None]
    assert [row["error"] < ROUNDING_LEVEL["float64"] for row in rows] == [False, False, True]
    assert all(set(row) == {"size_px", "predicted", "first_broken_layer", "error"} for row in rows)


def test_bad_input_of_a_process_is_one_line_and_status_2() -> None:
    assert_one_line_about_bad_input(run("measure", *CNN, "--size", "7", "--json"), "7×7 px", "at least 8 px")


def test_missing_option_of_a_process_is_one_line_and_status_2() -> None:
    assert_one_line_about_bad_input(run("measure", "--network", "p4-cnn"), "--size")


def test_reader_who_leaves_early_sees_no_traceback() -> None:
    command = [sys.executable, "-m", "explorer", "sizes", *CNN, "--from", "8", "--to", "24"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()  # before anything was written, which is earlier than `head` does
    complaint = process.stderr.read()
    process.stderr.close()

    assert (process.wait(120), complaint) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell with `head`")
def test_head_takes_the_first_line() -> None:
    piped = f"{sys.executable} -m explorer sizes {' '.join(CNN)} --from 8 --to 24 | head -1"
    ended = subprocess.run(
        piped, shell=True, cwd=ROOT, env=_environment(), capture_output=True, encoding="utf-8", timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "size px  predicted  first broken layer\n"


# ------------------------------------------------------------------------------------------------------ in this process


def test_exact_size_has_no_broken_layer(call: Any) -> None:
    document = strictly(call("measure", *RESNET, "--size", "33", "--json").out)

    assert (document["verdict"], document["first_broken_layer"], document["broken_layers"]) == ("exact", None, [])
    assert document["elements"] == dict.fromkeys(ELEMENTS, "exact")
    assert document["disagreements"] == []
    errors = [error for layer in document["layers"] for error in layer["error"].values()]
    assert max(*errors, *document["output_error"].values()) < ROUNDING_LEVEL["float32"]


def test_numbers_are_those_of_the_engine(call: Any) -> None:
    document = strictly(call("measure", *CNN, "--size", "29", "--seed", "3", "--json").out)
    picture = fit(load_gallery(GALLERY[0].name), height_px=29, width_px=29, how="resize")
    network = spec("p4-cnn", minimum_width=True)
    inspection = Engine(Settings(device="cpu")).inspect(Request(network, 3, picture))

    assert document == measure_document(network, inspection)
    other = strictly(call("measure", *CNN, "--size", "29", "--seed", "4", "--json").out)
    assert other["output_error"] != document["output_error"]


def test_network_without_group_pooling_has_no_action_on_its_logits(call: Any) -> None:
    document = strictly(call("measure", *CNN, "--size", "28", "--no-group-pooling", "--json").out)
    assert document["output_error"] == dict.fromkeys(ELEMENTS)
    assert "no action" in call("measure", *CNN, "--size", "28", "--no-group-pooling").out


def test_transforms_beyond_the_group_are_measured_and_not_judged(call: Any) -> None:
    document = strictly(call("measure", *CNN, "--size", "28", "--group-elements", "rot45, shift_2_0", "--json").out)

    assert list(document["output_error"]) == [*ELEMENTS, "rot45", "shift_2_0"]
    assert document["elements"] == {**dict.fromkeys(ELEMENTS, "exact"), "rot45": "undecided", "shift_2_0": "no action"}
    assert document["layers"][0]["error"]["rot45"] is None
    assert document["layers"][0]["error"]["shift_2_0"] < ROUNDING_LEVEL["float32"]


def test_sizes_without_measurement_prints_a_table_and_reads_no_picture(call: Any) -> None:
    ran = call("sizes", *RESNET, "--from", "32", "--to", "33", "--picture", "absent.png")
    assert ran == (
        0,
        "size px  predicted  first broken layer\n32       not exact  stage2.block1.conv1\n33       exact\n",
        "",
    )


def test_sizes_without_measurement_has_no_error_in_its_json(call: Any) -> None:
    rows = strictly(call("sizes", *RESNET, "--from", "33", "--to", "33", "--json").out)
    assert rows == [{"size_px": 33, "predicted": True, "first_broken_layer": None}]


def test_sizes_with_measurement_prints_a_column_of_errors(call: Any) -> None:
    lines = call("sizes", *CNN, "--from", "28", "--to", "29", "--measure").out.splitlines()
    assert lines[0].split()[-1] == "error"
    assert float(lines[1].split()[-1]) < ROUNDING_LEVEL["float32"] < 1e-4 < float(lines[2].split()[-1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "7"], ["The network cannot take 7×7 px: give at least 8 px a side."]),
        (["--size", "28", "--network", "p4-resnet81"], ["'p4-resnet81'", "did you mean", "p4-resnet18"]),
        (["--size", "28", "--picture", "pyproject.toml"], ["'pyproject.toml'", "PNG, JPEG, WebP or TIFF"]),
        (["--size", "28", "--picture", "absent.png"], ["'absent.png' does not exist"]),
        (["--size", "28", "--group-elements", "rot90,spin"], ["'spin'", "rot90, rot180, rot270", "shift_DOWN_RIGHT"]),
        (["--size", "28", "--group-elements", "shift_28_0"], ["28 down", "28×28 px"]),
        (["--size", "28", "--group-elements", ""], ["''", "rot90"]),
        (["--size", "big"], ["'big'", "HEIGHTxWIDTH"]),
        (["--size", "0"], ["'0'", "HEIGHTxWIDTH"]),
        (["--size", "28x"], ["'28x'", "HEIGHTxWIDTH"]),
        (["--size", "x28"], ["'x28'", "HEIGHTxWIDTH"]),
        (["--size", "-28"], ["-28"]),
        (["--size", "²"], ["'²'", "HEIGHTxWIDTH"]),
        (["--size", "1" * 5000], ["HEIGHTxWIDTH"]),
        (["--size", "600"], ["600×600 px", "at most 512 px", "EXPLORER_MAX_SIZE_PX"]),
        (["--size", "999999999"], ["999999999×999999999 px", "at most 512 px"]),
        (["--size", "28", "--seed", "-1"], ["--seed"]),
        (["--size", "28", "--seed", str(2**63)], ["--seed", str(2**63), str(2**63 - 1)]),
        (["--size", "28", "--dtype", "float16"], ["--dtype", "float16", "float32", "float64"]),
        (["--size", "28", "--fit", "squeeze"], ["--fit", "resize", "crop", "pad"]),
        (["--size", "28", "--weights", "absent.safetensors"], ["absent.safetensors"]),
        (["--size", "28", "two\nlines"], ["unrecognized arguments: two lines"]),
        ([], ["--size"]),
    ],
    ids=lambda value: " ".join(value)[:40] if value and value[0].startswith("--") else "",
)
def test_bad_input_to_measure_is_one_line_and_status_2(call: Any, arguments: list[str], words: list[str]) -> None:
    assert_one_line_about_bad_input(call("measure", *CNN, *arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "33", "--to", "32"], ["33 to 32 px", "empty"]),
        (["--from", "0", "--to", "8"], ["0 to 8 px"]),
        (["--from", "8", "--to", "600"], ["8 to 600 px", "at most 512 sizes"]),
        (["--from", "6", "--to", "7"], ["cannot take 7 px", "reaches at least 8 px"]),
        (["--from", "511", "--to", "513", "--measure"], ["513×513 px", "at most 512 px a side"]),
        (["--from", "100000", "--to", "100001", "--measure"], ["at most 512 px a side"]),
        (["--from", "8", "--to", "ten"], ["--to", "'ten'"]),
        (["--from", "8"], ["--to"]),
        (["--from", "8", "--to", "9", "--measure", "--picture", "absent.png"], ["'absent.png' does not exist"]),
    ],
    ids=lambda value: " ".join(value)[:40] if value and value[0].startswith("--") else "",
)
def test_bad_input_to_sizes_is_one_line_and_status_2(call: Any, arguments: list[str], words: list[str]) -> None:
    assert_one_line_about_bad_input(call("sizes", *CNN, *arguments), *words)


def test_break_starts_from_the_weights_of_a_file(call: Any, tmp_path: Path) -> None:
    network = spec("p4-cnn", minimum_width=True)
    save_weights(build(network, seed=1), tmp_path / "body.safetensors")
    arguments = ["break", *CNN, "--size", "28", "--steps", "1", "--json"]

    given = strictly(call(*arguments, "--weights", str(tmp_path / "body.safetensors")).out)

    picture = fit(load_gallery("knight"), height_px=28, width_px=28, how="resize")
    training = Training(Attempt(network, picture, steps=1, weights=weights_of_seed(network, 1)))
    assert given["losses"] == [step.loss for step in training]
    assert given["first_loss"] != strictly(call(*arguments).out)["first_loss"]


def test_worst_gives_the_search_as_json_as_a_table_and_its_picture_as_a_file(call: Any, tmp_path: Path) -> None:
    arguments = ["worst", *CNN, "--size", "29", "--steps", "3", "--layer", "pool"]
    document = strictly(call(*arguments, "--json", "--to", str(tmp_path / "found.png")).out)

    assert (document["network"], document["size_px"], document["transform"]) == ("p4-cnn", 29, "rot90")
    assert (document["layer"], document["steps"], document["predicted"]) == ("pool", 3, "approximate")
    errors = document["errors"]
    assert (errors[0], errors[-1]) == (document["first_error"], document["largest_error"])
    assert len(errors) == 4 and errors == sorted(errors) and errors[-1] > 1.05 * errors[0]
    error = strictly(call("measure", *CNN, "--size", "29", "--picture", str(tmp_path / "found.png"), "--json").out)
    measured = next(layer["error"]["rot90"] for layer in error["layers"] if layer["name"] == "pool")
    assert measured == pytest.approx(errors[-1], rel=0.02)  # 8 bits for each colour
    table = call(*arguments).out.splitlines()
    assert (
        table[2].split() == ["step", "largest", "error"] and table[-1] == "Predicted: approximate. Measured in float32."
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "28x30"], ["give a square size"]),
        (["--size", "28", "--layer", "sky"], ["rot90 acts on no layer 'sky'"]),
        (["--size", "28", "--transform", "rot45"], ["cannot be tested under rot45"]),
        (["--size", "28", "--steps", "0"], ["0 steps are not accepted: give 1 to 1000."]),
        (["--size", "28", "--to", "nowhere/found.png"], ["There is no folder 'nowhere'"]),
    ],
    ids=" ".join,
)
def test_bad_input_to_worst_is_one_line_and_status_2(call: Any, arguments: list[str], words: list[str]) -> None:
    assert_one_line_about_bad_input(call("worst", *CNN, *arguments), *words)


@pytest.mark.parametrize("arguments", [[], ["paint"], ["networks", "extra"]], ids=" ".join)
def test_unknown_or_missing_command_is_one_line_and_status_2(call: Any, arguments: list[str]) -> None:
    assert_one_line_about_bad_input(call(*arguments), "python -m explorer")


def test_setting_that_is_not_accepted_is_one_line_and_status_2(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MAX_SIZE_PX", "huge")
    assert_one_line_about_bad_input(call("measure", *CNN, "--size", "28"), "EXPLORER_MAX_SIZE_PX is 'huge'")


def test_absent_device_is_one_line_and_status_2(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_one_line_about_bad_input(call("measure", *CNN, "--size", "28"), "no cuda device")


def test_terminal_without_arrows_and_crosses_shows_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("EXPLORER_DEVICE", "cpu")

    assert main(["measure", *CNN, "--size", "29"]) == 0

    terminal.seek(0)
    assert "pool (29 ? 14 px)" in terminal.read()


# ------------------------------------------------------------------------------------------ numbers that are not finite


def with_infinite_errors(inspection: Inspection) -> Inspection:
    first, *others = inspection.measurement.layers
    first = replace(first, error=dict.fromkeys(first.error, float("inf")), own_error={"rot90": float("nan")})
    measurement = replace(
        inspection.measurement,
        layers=(first, *others),
        output_error=dict.fromkeys(inspection.measurement.output_error, float("inf")),
        logits={"identity": (1.0, float("nan"), float("-inf"))},
    )
    return replace(inspection, measurement=measurement)


def test_errors_that_are_not_finite_are_null_in_strict_json(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect = Engine.inspect
    monkeypatch.setattr(Engine, "inspect", lambda *given, **options: with_infinite_errors(inspect(*given, **options)))

    document = strictly(call("measure", *CNN, "--size", "28", "--json").out)

    assert document["output_error"] == document["layers"][0]["error"] == dict.fromkeys(ELEMENTS)
    assert document["layers"][0]["own_error"] == {"rot90": None}
    assert document["logits"] == {"identity": [1.0, None, None]}
    assert document["layers"][1]["error"]["rot90"] is not None


def test_infinite_error_of_a_size_is_null_in_strict_json(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [SizeResult(28, True, (), float("inf"))]
    monkeypatch.setattr("explorer.commands.main.sweep_sizes", lambda *_, **__: results)
    rows = strictly(call("sizes", *CNN, "--from", "28", "--to", "28", "--measure", "--json").out)
    assert rows[0]["error"] is None


def test_a_picture_that_cannot_show_the_break_is_said_to_be_so_in_text_and_json(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "black.png")
    command = ("measure", "--network", "p4-cnn", "--minimum-width", "--size", "29", "--dtype", "float64")
    black = ("--picture", str(tmp_path / "black.png"))
    text, document = run(*command, *black).out, strictly(run(*command, *black, "--json").out)

    said = "This picture does not show the break under ⟲ 90°, ⟲ 180°, ⟲ 270°: it is black. Try another one."
    assert said in text.splitlines()
    assert (document["remarks"], document["unseen"]) == ([said], ELEMENTS)
    ordinary = strictly(run(*command, "--json").out)
    assert (ordinary["remarks"], ordinary["unseen"]) == ([], [])
