"""Memory: limits and what is held, as the system's files say; the budget; what a pass takes."""

import mmap
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from torch import nn

import explorer.serving.memory as memory
from equivariance.groups.point_groups import C4
from equivariance.theory.exactness import Structure
from explorer.errors import RunError
from explorer.runs.room import check_room, training_bytes
from explorer.serving.engine import Engine
from explorer.serving.memory import Budget, held_bytes, kept_bytes, limit_bytes, pass_bytes
from explorer.settings import Settings
from explorer.studies.breaking import Attempt, Training, step_bytes
from explorer.training.recipe import Recipe
from models.build import build
from models.catalog import spec
from tests.support import ROOT
from tests.support.small_data import small_dataset

MEBIBYTE = 2**20
PAGE = 4096


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


@pytest.fixture
def machine_of_1000_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=1000 * PAGE))


@pytest.mark.usefixtures("machine_of_1000_pages")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 1000 * PAGE),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 1000 * PAGE),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "690000\n"}, 690_000),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "9000000000\n"}, 1000 * PAGE),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/memory.max": "5000\n",
                "sys/fs/cgroup/memory.max": "7000\n",
            },
            5000,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "6000\n",
                "sys/fs/cgroup/cpu/x/memory.limit_in_bytes": "1\n",
            },
            6000,
        ),
        ({"proc/self/cgroup": "0::/outside\n", "sys/fs/cgroup/memory.max": "8000\n"}, 8000),  # in a container
    ],
    ids=["no groups", "no limit", "limit", "limit above the machine", "group above", "version 1", "path not shown"],
)
def test_limit_is_the_least_of_machine_and_groups(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    assert limit_bytes(tmp_path) == expected


def test_limit_is_unknown_where_nothing_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def silent() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(psutil, "virtual_memory", silent)
    assert limit_bytes(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="Windows has no sysconf")
def test_machine_has_the_memory_that_the_system_counts_in_pages(tmp_path: Path) -> None:
    assert limit_bytes(tmp_path) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("system", "held"), [("linux", 380), ("win32", 410), ("darwin", 390)])
def test_held_is_what_is_not_of_a_file_as_each_system_tells_it(
    system: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = SimpleNamespace(rss=500, shared=120, private=410)
    process = SimpleNamespace(memory_info=lambda: told, memory_full_info=lambda: SimpleNamespace(uss=390))
    monkeypatch.setattr(psutil, "Process", lambda: process)
    monkeypatch.setattr("sys.platform", system)
    assert held_bytes() == held


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_held_is_what_linux_counts_in_pages() -> None:
    _, resident, from_files, *_ = map(int, (Path("/") / "proc" / "self" / "statm").read_text(encoding="ascii").split())
    held = held_bytes()
    assert held is not None
    assert abs(held - (resident - from_files) * os.sysconf("SC_PAGE_SIZE")) < MEBIBYTE  # Python itself works meanwhile


def test_held_is_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", silent)
    assert held_bytes() is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_held_grows_by_what_is_written() -> None:
    before = held_bytes()
    with mmap.mmap(-1, 32 * MEBIBYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:  # no page used before
        block.write(b"1" * len(block))
        after = held_bytes()
    assert before is not None and after is not None
    assert after - before > 28 * MEBIBYTE


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the process holds, as a list of one: change it."""
    value: list[int | None] = [100]
    monkeypatch.setattr(memory, "held_bytes", lambda: value[0])
    monkeypatch.setattr(memory, "_spare", lambda: None)
    return value


def test_largest_count_that_fits_is_reserved_and_given_back(held: list[int | None]) -> None:
    budget = Budget(1000)  # 900 usable, 100 held
    assert budget.left_bytes == 800
    with budget.reserved(lambda count: 300 * count, most=7) as count:
        assert count == 2 and budget.left_bytes == 200
        with budget.reserved(lambda count: 150 * count, most=7) as other:
            assert other == 1 and budget.left_bytes == 50
        with budget.reserved(lambda count: 300 * count, most=7) as none:
            assert none == 0 and budget.left_bytes == 200
    assert budget.left_bytes == 800


def test_all_fit_where_memory_is_plentiful(held: list[int | None]) -> None:
    with Budget(10**9).reserved(lambda count: count, most=7) as count:
        assert count == 7


@pytest.mark.parametrize("limit", [None, 1000])
def test_all_fit_where_memory_is_unknown(held: list[int | None], limit: int | None) -> None:
    held[0] = None if limit else 100
    budget = Budget(limit)
    assert budget.left_bytes is None
    with budget.reserved(lambda count: 10**12, most=7) as count:
        assert count == 7


def test_reservation_ends_with_an_error(held: list[int | None]) -> None:
    budget = Budget(1000)
    with pytest.raises(KeyError), budget.reserved(lambda count: 500, most=1):
        raise KeyError
    assert budget.left_bytes == 800


@pytest.mark.parametrize(("limit", "spares"), [(10_000, False), (1000, True)])
def test_blocks_are_given_back_at_once_only_where_memory_is_scarce(
    held: list[int | None], monkeypatch: pytest.MonkeyPatch, limit: int, spares: bool
) -> None:
    called: list[bool] = []
    monkeypatch.setattr(memory, "_spare", lambda: called.append(True))
    with Budget(limit).reserved(lambda count: 500, most=1):
        assert bool(called) == spares


# 4 channels of 10×10 pixels are 400 numbers, the convolution's kernel has 4·4·9 = 144.
CONVOLUTIONS = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1))


def needed(network: nn.Module, width_px: int = 10, **options: Any) -> int:
    recorded = Structure(network, C4, {}).trace(height_px=10, width_px=width_px)
    defaults = {"transforms": 3, "measured": 7, "own_errors": False, "maps_of": None, "item_bytes": 4}
    return pass_bytes(recorded, **(defaults | options))


def test_pass_takes_input_output_and_shortcut_of_each_picture() -> None:
    assert needed(CONVOLUTIONS) == 4 * (4 * (800 + 400) + 144)
    assert needed(CONVOLUTIONS, transforms=1) == 4 * (2 * (800 + 400) + 144)


def test_own_errors_take_what_is_expected_and_each_layer_once_more() -> None:
    assert needed(CONVOLUTIONS, own_errors=True) == 4 * (4 * 1200 + 3 * (800 + 800) + 144)


def test_maps_of_a_layer_are_kept_for_all_transforms_of_all_passes() -> None:
    assert needed(CONVOLUTIONS, maps_of="1") - needed(CONVOLUTIONS) == 4 * 15 * 400
    assert needed(CONVOLUTIONS, maps_of="no such layer") == needed(CONVOLUTIONS)


def test_upright_maps_are_kept_for_a_picture_that_is_not_square() -> None:
    square = 4 * (4 * (880 + 440) + 144)  # of 10×11 pixels, were they square
    assert needed(CONVOLUTIONS, width_px=11) == square + 4 * (440 + 440)


@pytest.mark.parametrize("name", ["p4-knight", "p4m-cnn", "so2-cnn", "c4-resnet18"])
def test_a_step_of_training_keeps_no_more_than_is_reserved_for_it(name: str) -> None:
    engine = Engine(Settings(device="cpu"))
    attempt = Attempt(spec(name, minimum_width=True), torch.rand(3, 32, 32), steps=1)
    training = Training(attempt)
    weights = {weight.untyped_storage().data_ptr() for weight in training._network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        next(iter(training))

    assert sum(kept.values()) < step_bytes(engine, attempt) < 20 * sum(kept.values())
    trained = sum(weight.numel() for weight in training._network.parameters())
    assert kept_bytes(attempt.network) > 0.5 * 16 * trained


def test_a_batch_that_the_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "held_bytes", lambda: 0)
    engine, data = Engine(Settings(device="cpu", memory_mb=100)), small_dataset(train=2000)
    recipe = Recipe(network="p4-cnn", minimum_width=True)

    check_room(replace(recipe, batch_size=64), data, engine)
    check_room(replace(recipe, batch_size=65_536), small_dataset(train=64), engine)  # no batch has more than all
    with pytest.raises(RunError, match=r"^2000 pictures of 28 px .* need about \d+ MB .* and 90 MB are left: .* batch"):
        check_room(replace(recipe, batch_size=65_536), data, engine)


@pytest.mark.parametrize(
    ("name", "head"),
    [("p4-knight", "maximum-first"), ("p4-cnn", ""), ("p4-cnn", "maximum-first"), ("c4-cnn", ""), ("z2-resnet18", "")],
)
def test_what_a_step_of_training_keeps_is_near_the_estimate(name: str, head: str) -> None:
    wanted = spec(name, minimum_width=True, head=head)
    network = build(wanted).train()
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(torch.rand(32, 3, 28, 28))
    estimate = training_bytes(wanted, 28, 32, Engine(Settings(device="cpu")))
    assert 0.2 * estimate < sum(kept.values()) < estimate


def test_float64_convolution_takes_a_copy_of_its_windows() -> None:
    double = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1)).double()
    assert needed(double, item_bytes=8) == 8 * (4 * (800 + 3600 + 400) + 144)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("p4-cnn", "float32"),
        pytest.param("p4m-cnn", "float32", marks=pytest.mark.full),
        pytest.param("p4-cnn", "float64", marks=pytest.mark.full),
    ],
)
def test_measurement_stays_near_its_estimate(name: str, dtype: str) -> None:
    """In a process of its own: the peak above what is held before, against the estimate."""
    script = f"""
import ctypes, torch
ctypes.CDLL(None).mallopt(-3, 2**18)
from explorer.serving.engine import DTYPES, Engine, Request
from explorer.studies.breaking import Attempt, Training, step_bytes
from explorer.serving.memory import pass_bytes
from explorer.settings import Settings
from models.catalog import spec
torch.set_num_threads(1)
engine, network = Engine(Settings(device="cpu")), spec({name!r})
served = engine.served(network, 0, {dtype!r})
engine.inspect(Request(network, 0, torch.rand(3, 28, 28), dtype={dtype!r}))
recorded = served.structure.trace(height_px=128, width_px=128)
count = len(served.structure.elements)
estimate = pass_bytes(recorded, transforms=count, measured=count, own_errors=True, maps_of="layer1.conv",
                      item_bytes=DTYPES[{dtype!r}].itemsize)
def resident(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = resident("VmRSS")
engine.inspect(Request(network, 0, torch.rand(3, 128, 128), dtype={dtype!r}, maps_of="layer1.conv"))
print((resident("VmHWM") - before) / estimate)
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert 0.5 < float(ran.stdout) < 1.2
