"""The engine: one network for all visitors, places, superseded requests, memory that runs out, sizes and devices."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import explorer.serving.engine as engine_module
import explorer.serving.memory as memory_module
import explorer.serving.networks as networks_module
from equivariance.errors import NetworkError, SizeError
from equivariance.groups.transforms import parse
from equivariance.measurement.measure import Measurement
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.errors import DeviceError, Superseded
from explorer.serving.engine import Engine, Inspection, Request, choose_device, network_spec
from explorer.serving.memory import USABLE, Budget, pass_bytes
from explorer.settings import Settings
from models.catalog import NetworkSpec, spec
from tests.support.seeded_weights import weights_of_seed

CNN = spec("p4-cnn", minimum_width=True)
KNIGHT = spec("p4-knight", minimum_width=True)
MEBIBYTE = 2**20
LIMIT_S = 30  # a test that waits longer has hung


def cpu_engine(**settings: int) -> Engine:
    return Engine(Settings(device="cpu", **settings))


def random_picture(height_px: int, width_px: int | None = None, *, seed: int = 0) -> Tensor:
    """(3, H, W), 0..1, float32."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, height_px, width_px or height_px, generator=generator)


def request(network: NetworkSpec = CNN, *, side_px: int = 28, **fields: Any) -> Request:
    return Request(network, 0, random_picture(side_px), **fields)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return cpu_engine()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[NetworkSpec, int]]:
    """Every network that was built, in order."""
    built: list[tuple[NetworkSpec, int]] = []
    serve = networks_module.serve

    def counting(network: NetworkSpec, *, seed: int = 0, **options: Any) -> nn.Module:
        built.append((network, seed))
        return serve(network, seed=seed, **options)

    monkeypatch.setattr(networks_module, "serve", counting)
    return built


class Gate:
    """Stands in for `measure`: counts who is inside, and lets nobody out before it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.changed = threading.Condition()
        self.inside = self.most_inside = 0
        self._measure = engine_module.measure

    def measure(self, *arguments: Any, progress: Callable[[float], None], **options: Any) -> Measurement:
        self._enter(1)
        try:
            assert self.opened.wait(LIMIT_S)
            return self._measure(*arguments, progress=progress, **options)
        finally:
            self._enter(-1)

    def _enter(self, step: int) -> None:
        with self.changed:
            self.inside += step
            self.most_inside = max(self.most_inside, self.inside)
            self.changed.notify_all()

    def wait_for(self, inside: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.inside == inside, LIMIT_S)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(engine_module, "measure", gate.measure)
    yield gate
    gate.opened.set()


# ------------------------------------------------------------------------------------------------------------ networks


def test_two_visitors_get_the_same_network(builds: list[tuple[NetworkSpec, int]]) -> None:
    engine = cpu_engine()
    assert engine.served(CNN, 0) is engine.served(spec("p4-cnn", minimum_width=True), 0)
    assert builds == [(CNN, 0)]


def test_concurrent_visitors_wait_for_one_build(builds: list[tuple[NetworkSpec, int]]) -> None:
    engine, start = cpu_engine(), threading.Barrier(6)

    def visit() -> int:
        start.wait(LIMIT_S)
        return id(engine.served(CNN, 0))

    with ThreadPoolExecutor(6) as pool:
        seen = [future.result(LIMIT_S) for future in [pool.submit(visit) for _ in range(6)]]

    assert len(set(seen)) == 1
    assert builds == [(CNN, 0)]


def test_network_is_built_again_for_other_options(builds: list[tuple[NetworkSpec, int]]) -> None:
    engine = cpu_engine()
    keys = [(CNN, 0, "float32"), (CNN, 1, "float32"), (CNN, 0, "float64"), (KNIGHT, 0, "float32")]
    assert len({id(engine.served(*key)) for key in keys}) == len(builds) == 4


def test_a_failed_build_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = cpu_engine()
    with monkeypatch.context() as patch:
        patch.setattr(networks_module, "serve", _raising(OSError("disk")))
        with pytest.raises(OSError, match="disk"):
            engine.served(CNN, 0)

    assert engine.served(CNN, 0).bytes > 0


def test_seeds_give_different_weights_and_one_seed_the_same() -> None:
    first, other = cpu_engine(), cpu_engine()

    def weights(engine: Engine, seed: int) -> Tensor:
        return torch.cat([parameter.flatten() for parameter in engine.served(CNN, seed).network.parameters()])

    assert torch.equal(weights(first, 3), weights(other, 3))
    assert not torch.equal(weights(first, 3), weights(first, 4))


def test_weights_take_the_place_of_the_seed_in_all_that_is_asked() -> None:
    engine, pictures, weights = cpu_engine(), random_picture(29)[None], weights_of_seed(CNN, 1)

    given, drawn = engine.answers(CNN, 0, pictures, weights=weights), engine.answers(CNN, 1, pictures)
    assert torch.allclose(given, drawn, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(given, engine.answers(CNN, 0, pictures), rtol=1e-2)
    assert engine.structure(CNN, 0, weights=weights) is engine.served(CNN, 0, weights=weights).structure
    assert engine.structure(CNN, 0, weights=weights) is not engine.structure(CNN, 0)


def test_one_picture_and_several_are_told_apart() -> None:
    engine, picture = cpu_engine(), random_picture(28)
    with pytest.raises(ValueError, match=r"of one picture \(3, H, W\), and \(2, 3, 28, 28\) was given"):
        Request(CNN, 0, torch.stack([picture, picture]))
    with pytest.raises(ValueError, match=r"of pictures \(B, 3, H, W\), and \(3, 28, 28\) was given"):
        engine.answers(CNN, 0, picture)
    assert engine.answers(CNN, 0, picture[None]).shape == (1, 10)
    assert engine.pass_s(CNN, 0, picture) > 0.0


def test_network_used_longest_ago_is_forgotten(builds: list[tuple[NetworkSpec, int]]) -> None:
    engine = cpu_engine()
    bytes_of_one = engine.served(CNN, 0).bytes
    engine._networks.cache_bytes = int(2.5 * bytes_of_one)

    engine.served(CNN, 1)
    engine.served(CNN, 0)  # seed 1 is now the oldest
    engine.served(CNN, 2)
    assert [seed for _, seed in builds] == [0, 1, 2]

    engine.served(CNN, 0)
    assert [seed for _, seed in builds] == [0, 1, 2]
    engine.served(CNN, 1)
    assert [seed for _, seed in builds] == [0, 1, 2, 1]


def test_network_larger_than_the_budget_is_still_served() -> None:
    engine = cpu_engine()
    engine._networks.cache_bytes = 0
    assert engine.served(CNN, 0) is engine.served(CNN, 0)


def test_bytes_counts_weights_and_statistics() -> None:
    served = cpu_engine().served(KNIGHT, 0, "float64")
    assert served.bytes == 8 * sum(tensor.numel() for tensor in served.network.state_dict().values())


@pytest.mark.parametrize("name", ["p4-resnet18", "p4m-cnn", "c4-cnn"])
def test_float32_in_channels_last_equals_float64_to_rounding(name: str) -> None:
    engine, network = cpu_engine(), spec(name, minimum_width=True)
    single, double = engine.served(network, 0), engine.served(network, 0, "float64")
    picture = random_picture(32)[None]

    kernels = [parameter for parameter in single.network.parameters() if parameter.dim() == 4]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    with torch.inference_mode():
        expected = double.network(picture.double())
        error = (single.network(picture).double() - expected).norm() / expected.norm()
    assert error < ROUNDING_LEVEL["float32"]


# ------------------------------------------------------------------------------------------------------------ requests


def test_inspecting_twice_gives_equal_numbers(engine: Engine) -> None:
    first, second = engine.inspect(request()), engine.inspect(request())
    assert first.measurement == second.measurement
    assert (first.prediction, first.verdict) == (second.prediction, second.verdict)


def test_inspection_measures_the_elements_and_what_was_asked_for_beyond_them(engine: Engine) -> None:
    extra = tuple(parse(name) for name in ("rot45", "shift_2_0", "rot90"))
    inspection = engine.inspect(request(transforms=extra, maps_of="layer1.conv"))

    assert list(inspection.measurement.output_error) == ["rot90", "rot180", "rot270", "rot45", "shift_2_0"]
    assert inspection.measurement.maps is not None and inspection.measurement.maps.name == "layer1.conv"
    assert set(inspection.verdict.elements) == {"rot90", "rot180", "rot270"}
    assert inspection.device == engine.device_name() and inspection.device.startswith("CPU · ")
    assert inspection.elapsed_s > 0


def test_no_hooks_are_left_on_the_shared_network(engine: Engine) -> None:
    engine.inspect(request(maps_of="layer1.conv", transforms=(parse("shift_2_0"),)))
    modules = list(engine.served(CNN, 0).network.modules())
    assert len(modules) > 10
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_visitors_at_different_sizes_of_a_new_network_do_not_disturb_each_other() -> None:
    alone, together = cpu_engine(), cpu_engine(concurrent_measurements=4)
    sides_px, start = (20, 24, 26, 28), threading.Barrier(4)

    def visit(side_px: int) -> Measurement:
        start.wait(LIMIT_S)
        return together.inspect(request(side_px=side_px), owner=f"visitor {side_px}").measurement

    with ThreadPoolExecutor(4) as pool:
        measured = list(pool.map(visit, sides_px))

    for side_px, measurement in zip(sides_px, measured, strict=True):
        expected = alone.inspect(request(side_px=side_px)).measurement
        assert [layer.name for layer in measurement.layers] == [layer.name for layer in expected.layers]
        assert measurement.logits["identity"] == pytest.approx(expected.logits["identity"], rel=1e-4, abs=1e-6)


# --------------------------------------------------------------------------------------------------- superseded, places


def test_later_request_of_an_owner_stops_the_running_one(gate: Gate) -> None:
    engine = cpu_engine()
    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(engine.inspect, request(), owner="a")
        gate.wait_for(1)
        later = pool.submit(engine.inspect, request(side_px=26), owner="a")
        gate.wait_for(2)
        gate.opened.set()

        with pytest.raises(Superseded):
            earlier.result(LIMIT_S)
        assert later.result(LIMIT_S).measurement.height_px == 26


def test_later_request_of_an_owner_stops_one_that_waits_for_a_place(gate: Gate) -> None:
    engine = cpu_engine(concurrent_measurements=1)
    with ThreadPoolExecutor(3) as pool:
        running = pool.submit(engine.inspect, request(), owner="b")
        gate.wait_for(1)
        waiting = pool.submit(engine.inspect, request(side_px=24), owner="a")
        _wait_until(lambda: "a" in engine._latest)
        later = pool.submit(engine.inspect, request(side_px=26), owner="a")

        with pytest.raises(Superseded):
            waiting.result(LIMIT_S)  # while the only place is still taken
        assert not running.done()
        gate.opened.set()
        assert running.result(LIMIT_S).measurement.height_px == 28
        assert later.result(LIMIT_S).measurement.height_px == 26
    assert gate.most_inside == 1


@pytest.mark.parametrize("owners", [("a", "b"), (None, None)], ids=["two visitors", "nobody"])
def test_request_of_another_owner_stops_nothing(gate: Gate, owners: tuple[str | None, str | None]) -> None:
    engine = cpu_engine()
    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(engine.inspect, request(), owner=owners[0])
        gate.wait_for(1)
        later = pool.submit(engine.inspect, request(side_px=26), owner=owners[1])
        gate.wait_for(2)
        gate.opened.set()

        assert earlier.result(LIMIT_S).measurement.height_px == 28
        assert later.result(LIMIT_S).measurement.height_px == 26


def test_owners_seen_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.serving.engine._KEPT_OWNERS", 2)
    engine = cpu_engine()

    for owner in ("a", "b", "a", "c"):
        engine.inspect(request(KNIGHT), owner=owner)

    assert [engine._latest.find(owner) for owner in "abc"] == [2, None, 1]


def test_number_of_measurements_at_once_is_bounded(gate: Gate) -> None:
    engine = cpu_engine(concurrent_measurements=2)
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(engine.inspect, request(KNIGHT), owner=str(number)) for number in range(5)]
        gate.wait_for(2)
        gate.opened.set()
        for answer in answers:
            answer.result(LIMIT_S)
    assert gate.most_inside == 2


def test_networks_are_built_within_the_bounded_places(gate: Gate) -> None:
    engine = cpu_engine(concurrent_measurements=1)
    with ThreadPoolExecutor(2) as pool:
        measuring = pool.submit(engine.inspect, request())
        gate.wait_for(1)
        building = pool.submit(engine.served, KNIGHT, 0)

        with pytest.raises(GoneError):
            engine.served(KNIGHT, 1, progress=gone)  # while the only place is taken
        assert not building.done()
        assert engine.served(CNN, 0).bytes > 0  # one that is there takes no place
        gate.opened.set()
        assert measuring.result(LIMIT_S).measurement.height_px == 28
        assert building.result(LIMIT_S).bytes > 0


def test_visitors_who_build_and_visitors_who_measure_the_same_network_do_not_wait_for_each_other() -> None:
    engine, start = cpu_engine(concurrent_measurements=1), threading.Barrier(4)

    def visit(number: int) -> int:
        start.wait(LIMIT_S)
        if number % 2:
            return engine.structure(KNIGHT, 0).smallest_px
        return engine.inspect(request(KNIGHT)).measurement.height_px

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(visit, number) for number in range(4)]
        assert len([answer.result(LIMIT_S) for answer in answers]) == 4


class GoneError(BaseException):
    """What stops a visitor's run: not an Exception, as Streamlit's own is not."""


def gone(fraction: float) -> None:
    raise GoneError


def test_progress_that_raises_stops_a_measurement_and_gives_its_place_back() -> None:
    engine = cpu_engine(concurrent_measurements=1)

    with pytest.raises(GoneError):
        engine.inspect(request(), progress=gone)

    told: list[float] = []
    engine.inspect(request(), progress=told.append)
    assert told[0] == 0.0 and told == sorted(told) and 0.8 < told[-1] < 1.0


def test_progress_that_raises_stops_one_that_waits_for_a_place(gate: Gate) -> None:
    engine = cpu_engine(concurrent_measurements=1)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(engine.inspect, request())
        gate.wait_for(1)

        with pytest.raises(GoneError):
            engine.inspect(request(side_px=24), progress=gone)  # while the only place is taken
        gate.opened.set()
        assert running.result(LIMIT_S).measurement.height_px == 28


def test_failed_measurement_gives_its_place_back() -> None:
    engine = cpu_engine(concurrent_measurements=1)
    with pytest.raises(SizeError):
        engine.inspect(request(side_px=7))
    assert engine.inspect(request(), owner="a").measurement.height_px == 28


# -------------------------------------------------------------------------------------------------------------- memory


def _out_of_memory(monkeypatch: pytest.MonkeyPatch, *, above: int, error: Exception) -> list[int]:
    """Make `measure` raise `error` for more than `above` transforms a pass; the numbers that were tried."""
    tried, measure = [], engine_module.measure

    def narrow(
        network: nn.Module, picture: Tensor, transforms: Sequence[Any], *, transforms_per_pass: int, **options: Any
    ) -> Measurement:
        tried.append(transforms_per_pass)
        if transforms_per_pass > above:
            raise error
        return measure(network, picture, transforms, transforms_per_pass=transforms_per_pass, **options)

    monkeypatch.setattr(engine_module, "measure", narrow)
    return tried


def assert_same_errors(measured: Inspection, expected: Inspection, *, tolerance: float) -> None:
    assert measured.measurement.output_error == pytest.approx(expected.measurement.output_error, abs=tolerance)
    for layer, wanted in zip(measured.measurement.layers, expected.measurement.layers, strict=True):
        assert layer.name == wanted.name
        assert layer.error == pytest.approx(wanted.error, abs=tolerance), layer.name
        assert layer.own_error == pytest.approx(wanted.own_error, abs=tolerance), layer.name
    for name, logits in expected.measurement.logits.items():
        assert measured.measurement.logits[name] == pytest.approx(logits, abs=tolerance), name


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.81 GB)"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "mps"])
@pytest.mark.parametrize("size", [(29, 29), (26, 29)], ids=["square", "not square"])
def test_out_of_memory_gets_smaller_batches_and_the_same_numbers(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception, size: tuple[int, int]
) -> None:
    asked = Request(
        spec("p4m-cnn", minimum_width=True),
        0,
        random_picture(*size),
        (parse("rot45"), parse("rot30"), parse("shift_2_0")),
        "float64",
    )
    expected = engine.inspect(asked)
    tried = _out_of_memory(monkeypatch, above=1, error=error)

    measured = engine.inspect(asked)

    assert tried == [10, 5, 2, 1]  # seven elements and three more
    assert max(expected.measurement.output_error[name] or 0.0 for name in ("rot90", "mirror")) > 1e-4  # worth comparing
    assert_same_errors(measured, expected, tolerance=1e-12)
    assert measured.verdict.kind == expected.verdict.kind == "approximate"


def test_batches_shrink_no_further_than_they_must(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _out_of_memory(monkeypatch, above=3, error=OUT_OF_MEMORY[0])
    engine.inspect(request(spec("p4m-cnn", minimum_width=True)))
    assert tried == [7, 3]


def test_memory_too_small_for_one_transform_is_one_sentence(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _out_of_memory(monkeypatch, above=0, error=OUT_OF_MEMORY[0])
    with pytest.raises(DeviceError) as caught:
        engine.inspect(request())
    assert str(caught.value) == (
        f"28×28 px needs more memory than {engine.device_name()} has left: choose a smaller size or a narrower network."
    )


def test_maps_of_the_failed_pass_are_let_go_before_memory_is_freed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _out_of_memory(monkeypatch, above=1, error=OUT_OF_MEMORY[0])
    handled: list[BaseException | None] = []
    monkeypatch.setattr(engine_module, "free_memory", lambda: handled.append(sys.exception()))

    engine.inspect(request())

    assert handled == [None, None]  # after the failed pass, and at the end


def test_other_errors_of_torch_stay_what_they_are(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _out_of_memory(monkeypatch, above=0, error=RuntimeError("expected scalar type Float"))
    with pytest.raises(RuntimeError, match="expected scalar type Float"):
        engine.inspect(request())
    assert tried == [3]


def _left(monkeypatch: pytest.MonkeyPatch, engine: Engine, size_bytes: int) -> list[int]:
    """Leave `size_bytes` to measurements; the numbers of transforms a pass that are measured."""
    monkeypatch.setattr(engine, "_memory", Budget(2**40))
    monkeypatch.setattr(memory_module, "held_bytes", lambda: int(USABLE * 2**40) - size_bytes)
    monkeypatch.setattr(memory_module, "_spare", lambda: None)
    return _out_of_memory(monkeypatch, above=100, error=AssertionError())


def _pass_bytes(engine: Engine, asked: Request, transforms: int) -> int:
    structure = engine.structure(asked.network, asked.seed, asked.dtype)
    height_px, width_px = asked.picture.shape[-2:]
    return pass_bytes(
        structure.trace(height_px=height_px, width_px=width_px),
        transforms=transforms,
        measured=7,
        own_errors=True,
        maps_of=asked.maps_of,
        item_bytes=8,
    )


@pytest.mark.parametrize("transforms", [1, 3, 7])
def test_passes_are_as_wide_as_memory_allows_with_the_same_numbers(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, transforms: int
) -> None:
    asked = request(spec("p4m-cnn", minimum_width=True), side_px=29, dtype="float64", maps_of="layer1.conv")
    expected = engine.inspect(asked)
    tried = _left(monkeypatch, engine, _pass_bytes(engine, asked, transforms))

    measured = engine.inspect(asked)

    assert tried == [transforms]
    assert_same_errors(measured, expected, tolerance=1e-12)


def test_size_for_which_one_transform_takes_too_much_is_refused_before_it_is_measured(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(spec("p4m-cnn", minimum_width=True), side_px=29, dtype="float64")
    tried = _left(monkeypatch, engine, _pass_bytes(engine, asked, 1) - 1)
    with pytest.raises(DeviceError) as caught:
        engine.inspect(asked)
    assert tried == []
    assert str(caught.value) == (
        f"29×29 px needs more memory than {engine.device_name()} has left: choose a smaller size or a narrower network."
    )


def test_memory_of_the_host_does_not_bound_what_a_gpu_measures(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    served = engine.served(CNN, 0)
    _left(monkeypatch, engine, 0)
    monkeypatch.setattr(engine, "device", torch.device("cuda"))
    with engine._fitting(served, request().size_px, "float32", 7) as transforms:
        assert transforms == 7


def test_theory_and_gradients_are_there_for_a_network_that_first_gave_answers() -> None:
    """What is kept must not be made in torch's inference mode: other operations are recorded, and no gradient runs."""
    engine = Engine(Settings(device="cpu"))
    engine.answers(CNN, 0, torch.rand(2, 3, 32, 32))

    inspection = engine.inspect(request(CNN, side_px=32))

    assert inspection.prediction.verdict == "exact"
    assert not any(parameter.is_inference() for parameter in engine.served(CNN, 0).network.parameters())


def test_answers_are_the_same_in_smaller_batches(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = torch.stack([random_picture(28, seed=seed) for seed in range(5)])
    served, batches = engine.served(CNN, 0, "float64"), []
    handle = served.network.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    expected = engine.answers(CNN, 0, pictures, "float64")
    recorded = served.structure.trace(height_px=28, width_px=28)
    two = pass_bytes(recorded, transforms=2, measured=5, own_errors=False, maps_of=None, item_bytes=8)
    _left(monkeypatch, engine, two)

    torch.testing.assert_close(engine.answers(CNN, 0, pictures, "float64"), expected)
    handle.remove()
    assert batches == [5, 2, 2, 1]


def test_no_transforms_are_measured_where_memory_is_left(engine: Engine) -> None:
    with engine._fitting(engine.served(CNN, 0), request().size_px, "float32", 0) as transforms:
        assert transforms == 1


def test_limit_in_the_settings_comes_before_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "limit_bytes", lambda: 1000 * MEBIBYTE)
    monkeypatch.setattr(memory_module, "held_bytes", lambda: 0)
    assert cpu_engine()._memory.left_bytes == 900 * MEBIBYTE
    assert cpu_engine(memory_mb=200)._memory.left_bytes == 180 * MEBIBYTE


# ------------------------------------------------------------------------------------------------------ sizes, devices


def test_size_above_the_maximum_is_one_sentence() -> None:
    engine = cpu_engine(max_size_px=32)
    with pytest.raises(SizeError) as caught:
        engine.inspect(Request(CNN, 0, random_picture(20, 33)))
    assert str(caught.value) == (
        "20×33 px is more than this installation measures: give at most 32 px a side, or raise EXPLORER_MAX_SIZE_PX."
    )
    assert engine.inspect(Request(KNIGHT, 0, random_picture(20, 32))).measurement.width_px == 32


@pytest.mark.parametrize("size", [(7, 7), (28, 7), (7, 28)])
def test_size_below_the_smallest_names_the_smallest(engine: Engine, size: tuple[int, int]) -> None:
    with pytest.raises(SizeError) as caught:
        engine.inspect(Request(CNN, 0, random_picture(*size)))
    assert str(caught.value) == f"The network cannot take {size[0]}×{size[1]} px: give at least 8 px a side."
    assert engine.inspect(Request(CNN, 0, random_picture(8))).measurement.height_px == 8


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_absent_device_is_one_sentence(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError) as caught:
        choose_device(device)
    assert str(caught.value) == f"This machine has no {device} device: set EXPLORER_DEVICE to auto or cpu."


@pytest.fixture
def tf32_allowed() -> Iterator[None]:
    """As another library may have left it; put back afterwards."""
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = True
    yield
    for backend, allowed in zip(backends, before, strict=True):
        backend.allow_tf32 = allowed


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_cuda_comes_before_mps_before_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    assert choose_device("auto") == torch.device(chosen)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("tf32_allowed")
def test_cuda_is_used_without_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    choose_device("cuda")
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_float64_runs_on_the_cpu_where_the_device_has_none() -> None:
    engine = cpu_engine()
    engine.device = torch.device("mps")

    assert engine.device_for("float64") == torch.device("cpu")
    assert engine.device_for("float32") == torch.device("mps")
    assert engine.device_name("float32") == "GPU · Apple"
    inspection = engine.inspect(request(dtype="float64"))
    assert inspection.measurement.device == "cpu" and inspection.device.startswith("CPU")


@pytest.mark.parametrize(
    ("name", "near"), [("p4-resnet19", "p4-resnet18"), ("c8-cn", "c8-cnn"), ("???", "p4-resnet18")]
)
def test_unknown_network_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(NetworkError) as caught:
        network_spec(name)
    said = str(caught.value)
    assert said.startswith(f"There is no network {name!r}: did you mean ") and near in said
    assert said.endswith("? `python -m explorer networks` lists all.")


def test_known_network_carries_its_options() -> None:
    network = network_spec("d4-resnet44", head="no-pooling", minimum_width=True)
    assert network == NetworkSpec("d4", "resnet44", head="no-pooling", minimum_width=True)


# ------------------------------------------------------------------------------------------------------------- helpers


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def _wait_until(fact: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(LIMIT_S * 100):
        if fact():
            return
        waited.wait(0.01)
    pytest.fail("it never came true")


def test_float32_alone_never_contradicts_theory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROUNDING_LEVEL, "float32", 1e-9)  # as if the network were very deep
    engine = Engine(Settings(device="cpu"))
    request = Request(spec("p4-cnn", minimum_width=True), 0, torch.rand(3, 28, 28))
    inspection = engine.inspect(request)

    assert (inspection.verdict.kind, inspection.verdict.disagreements) == ("exact", ())
    assert inspection.measurement.dtype == "float32" and inspection.again is not None
    assert inspection.again.dtype == "float64" and (inspection.again.largest_error("rot90") or 0.0) < 1e-10
    assert "measured again in float64" in inspection.verdict.remarks[0]


def test_a_second_measurement_that_memory_cannot_hold_leaves_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROUNDING_LEVEL, "float32", 1e-9)
    engine = Engine(Settings(device="cpu"))
    monkeypatch.setattr(engine, "_measured_again", lambda request, progress: None)
    inspection = engine.inspect(Request(spec("p4-cnn", minimum_width=True), 0, torch.rand(3, 28, 28)))

    assert inspection.again is None and inspection.verdict.disagreements != ()


def test_nothing_is_measured_twice_without_need() -> None:
    engine = Engine(Settings(device="cpu"))
    for side_px in (28, 29):
        request = Request(spec("p4-cnn", minimum_width=True), 0, torch.rand(3, side_px, side_px))
        assert engine.inspect(request).again is None
