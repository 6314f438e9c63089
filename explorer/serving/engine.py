"""The engine: devices, networks cached and shared between visitors, and a bounded number of measurements at once."""

import difflib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Condition, Lock
from typing import Any

import torch
from torch import Tensor, nn

from equivariance.errors import NetworkError, SizeError
from equivariance.groups.transforms import Shift, Transform
from equivariance.kept import Kept
from equivariance.measurement.measure import Measurement, measure
from equivariance.measurement.verdict import Verdict, calls_for_more, judge
from equivariance.theory.exactness import Prediction, Structure, predict
from explorer.errors import DeviceError, Superseded
from explorer.serving.memory import Budget, limit_bytes, megabytes, pass_bytes
from explorer.serving.networks import DTYPES, Networks, Served, free_memory, key_of
from explorer.serving.weights import Weights
from explorer.settings import Settings
from models.catalog import NAMES, NetworkSpec, spec

__all__ = ["DTYPES", "Engine", "Inspection", "Request", "Served", "choose_device", "network_spec"]

_KEPT_OWNERS = 10_000
_MOST_PASSES, _TIMED_S = 30, 0.3  # of timed passes: three at least, then until that much time is spent
_WAIT_S = 0.05  # between looks at whether a waiting measurement has been superseded


@dataclass(frozen=True)
class Request:
    """What to measure; the picture is (3, H, W), 0..1, float32 on the CPU."""

    network: NetworkSpec
    seed: int
    picture: Tensor = field(repr=False)
    transforms: tuple[Transform, ...] = ()
    dtype: str = "float32"
    maps_of: str | None = None
    weights: Weights | None = None  # instead of random ones

    def __post_init__(self) -> None:
        if self.picture.ndim != 3:
            raise ValueError(f"a request is of one picture (3, H, W), and {_shape(self.picture)} was given")

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return int(self.picture.shape[-2]), int(self.picture.shape[-1])


@dataclass(frozen=True)
class Inspection:
    """The answer: theory, measurement, and the verdict on both. `transforms` beyond the group's elements come last.

    again: the same measured in float64, where float32 alone would have contradicted theory.
    """

    prediction: Prediction
    measurement: Measurement
    verdict: Verdict
    device: str
    elapsed_s: float
    again: Measurement | None = None


def network_spec(name: str, **options: Any) -> NetworkSpec:
    """The network called `name`, options as of NetworkSpec; raises NetworkError with the names near an unknown one."""
    try:
        return spec(name, **options)
    except KeyError:
        near = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.4) or ["p4-resnet18"]
        raise NetworkError(
            f"There is no network {name!r}: did you mean {' or '.join(near)}? `python -m explorer networks` lists all."
        ) from None


class Engine:
    """Runs measurements for all visitors of a process. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        self._memory = Budget(settings.memory_mb * 2**20 or limit_bytes())
        self._networks = Networks(settings.network_cache_mb * 2**20, self._memory, self.device_for)
        self._lock = Lock()
        self._free = settings.concurrent_measurements
        self._freed = Condition()
        self._latest: Kept[int] = Kept(_KEPT_OWNERS)  # number of each owner's latest request

    def device_for(self, dtype: str) -> torch.device:
        """The device that runs `dtype`: the CPU for float64 where the device has none."""
        return torch.device("cpu") if self.device.type == "mps" and dtype == "float64" else self.device

    def device_name(self, dtype: str = "float32") -> str:
        """Readable name of the device."""
        device = self.device_for(dtype)
        if device.type == "cuda":
            return f"GPU · {torch.cuda.get_device_name(device)}"
        threads = torch.get_num_threads()
        return {"mps": "GPU · Apple", "cpu": f"CPU · {threads} thread{'s' * (threads > 1)}"}[device.type]

    def served(
        self,
        network: NetworkSpec,
        seed: int,
        dtype: str = "float32",
        weights: Weights | None = None,
        *,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Served:
        """The network with `weights`, or random ones drawn from `seed`: cached or built; shared, so never change it.

        Building takes one of the bounded places; `progress` is called while waiting for it and may raise. Raises
        WeightsError for weights of another network, and DeviceError for a network that the memory cannot hold.
        """
        key = key_of(network, seed, dtype, weights)
        kept = self._networks.kept(key)
        if kept is not None:
            return kept
        with self._turn(progress):  # before the network's own lock: who has a place never waits for one who has none
            return self._networks.served(key, weights)

    def structure(
        self,
        network: NetworkSpec,
        seed: int,
        dtype: str = "float32",
        weights: Weights | None = None,
        *,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Structure:
        """What theory knows of the same network: kept for longer than the network, which is many times as large."""
        kept = self._networks.structure(key_of(network, seed, dtype, weights))
        return kept or self.served(network, seed, dtype, weights, progress=progress).structure

    def check_size(self, *, height_px: int, width_px: int) -> None:
        """Raise SizeError for a picture that is larger than the settings allow."""
        if max(height_px, width_px) > self.settings.max_size_px:
            raise SizeError(
                f"{height_px}×{width_px} px is more than this installation measures: give at most "
                f"{self.settings.max_size_px} px a side, or raise EXPLORER_MAX_SIZE_PX."
            )

    def inspect(
        self,
        request: Request,
        *,
        owner: str | None = None,
        own_errors: bool = True,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Inspection:
        """Theory, measurement and verdict for `request`.

        A later request of the same `owner` stops this one with Superseded; `progress` is told the fraction done, again
        and again, and may raise to stop it too. Raises SizeError for a size that the network or the settings do not
        take, and DeviceError where even one transform at a time needs too much memory.
        """
        is_latest = self._ticket(owner)

        def check(fraction: float) -> None:
            is_latest()
            progress(fraction)

        height_px, width_px = request.size_px
        self.check_size(height_px=height_px, width_px=width_px)
        key = key_of(request.network, request.seed, request.dtype, request.weights)
        with self._turn(check):
            served = self._networks.served(key, request.weights)
            started = time.perf_counter()
            prediction = predict(served.structure, height_px=height_px, width_px=width_px)
            try:
                measurement = self._measure(served, request, check, own_errors=own_errors)
            finally:
                free_memory()
            verdict, again = judge(prediction, measurement), None
            if request.dtype != "float64" and calls_for_more(prediction, measurement, verdict):
                again = self._measured_again(request, check)
                verdict = judge(prediction, measurement, again)
        elapsed_s = time.perf_counter() - started
        return Inspection(prediction, measurement, verdict, self.device_name(request.dtype), elapsed_s, again)

    def answers(
        self,
        network: NetworkSpec,
        seed: int,
        pictures: Tensor,
        dtype: str = "float32",
        weights: Weights | None = None,
    ) -> Tensor:
        """The logits (B, classes), float64 on the CPU, of `pictures` (B, 3, H, W), 0..1; takes one of the places."""
        if pictures.ndim != 4:
            raise ValueError(f"answers are of pictures (B, 3, H, W), and {_shape(pictures)} was given")
        height_px, width_px = (int(side) for side in pictures.shape[-2:])
        self.check_size(height_px=height_px, width_px=width_px)
        with self._turn(lambda fraction: None):
            served = self._networks.served(key_of(network, seed, dtype, weights), weights)
            fitting = self._fitting(served, (height_px, width_px), dtype, len(pictures))
            with fitting as at_once, torch.inference_mode():  # not sooner: nothing that is kept is made in it
                parts = pictures.to(self.device_for(dtype), DTYPES[dtype]).split(at_once)
                return torch.cat([served.network(part).double().cpu() for part in parts])

    def pass_s(
        self, network: NetworkSpec, seed: int, picture: Tensor, dtype: str = "float32", weights: Weights | None = None
    ) -> float:
        """Seconds of one pass over one picture (3, H, W), waiting left out: the quickest of some."""
        request = Request(network, seed, picture, dtype=dtype, weights=weights)
        with self._turn(lambda fraction: None):
            served = self._networks.served(key_of(network, seed, dtype, weights), weights)
            with self._fitting(served, request.size_px, dtype, 1), torch.inference_mode():
                pictures = picture[None].to(self.device_for(dtype), DTYPES[dtype])
                return min(_timed_passes(served.network, pictures))

    @contextmanager
    def room(self, needed_bytes: int, what: str) -> Iterator[None]:
        """Reserve memory of the CPU for `what` beside measurements; raises DeviceError where it does not fit."""
        with self._memory.reserved(lambda count: needed_bytes, most=1) as fits:
            if not fits:
                raise DeviceError(
                    f"{what} needs {megabytes(needed_bytes)} of memory, and {megabytes(self._memory.left_bytes)} are "
                    f"left: choose a smaller size or a narrower network."
                )
            yield

    def _measured_again(self, request: Request, progress: Callable[[float], None]) -> Measurement | None:
        """The same in float64, within the place that is held; None where memory cannot hold the network twice.

        It costs what building the network and measuring it in float64 do: on a CPU about three times the first.
        """
        finer = replace(request, dtype="float64", maps_of=None)
        try:
            key = key_of(finer.network, finer.seed, finer.dtype, finer.weights)
            return self._measure(self._networks.served(key, finer.weights), finer, progress, own_errors=False)
        except DeviceError:
            return None
        finally:
            free_memory()

    def _measure(
        self, served: Served, request: Request, progress: Callable[[float], None], *, own_errors: bool
    ) -> Measurement:
        transforms = tuple(dict.fromkeys((*served.structure.elements, *request.transforms)))
        height_px, width_px = request.size_px
        has_shift = any(isinstance(transform, Shift) for transform in transforms)
        grids = served.structure.grids(height_px=height_px, width_px=width_px) if has_shift else None
        picture = request.picture.to(self.device_for(request.dtype), DTYPES[request.dtype])
        fitting = self._fitting(
            served, request.size_px, request.dtype, len(transforms), own_errors=own_errors, maps_of=request.maps_of
        )
        with fitting as per_pass:
            while True:
                try:
                    return measure(
                        served.network,
                        picture,
                        transforms,
                        grids=grids,
                        maps_of=request.maps_of,
                        own_errors=own_errors,
                        transforms_per_pass=per_pass,
                        progress=progress,
                    )
                except RuntimeError as error:
                    if not _is_out_of_memory(error):
                        raise
                free_memory()  # not sooner: the error's traceback holds the maps
                if per_pass == 1:
                    raise DeviceError(self._too_large(request.size_px, request.dtype))
                per_pass = max(1, per_pass // 2)

    @contextmanager
    def _fitting(
        self,
        served: Served,
        size_px: tuple[int, int],
        dtype: str,
        wanted: int,
        *,
        own_errors: bool = False,
        maps_of: str | None = None,
    ) -> Iterator[int]:
        """How many of the `wanted` transforms, or pictures, may share a pass with one more, by the memory left.

        At least 1: raises DeviceError where not even one may. Memory of a GPU is not known beforehand: all may.
        size_px: height and width.
        """
        if self.device_for(dtype).type != "cpu":
            yield max(wanted, 1)
            return
        height_px, width_px = size_px
        recorded = served.structure.trace(height_px=height_px, width_px=width_px)

        def bytes_for(transforms: int) -> int:
            return pass_bytes(
                recorded,
                transforms=transforms,
                measured=wanted,
                own_errors=own_errors,
                maps_of=maps_of,
                item_bytes=DTYPES[dtype].itemsize,
            )

        with self._memory.reserved(bytes_for, most=max(wanted, 1)) as transforms:
            if transforms == 0:
                raise DeviceError(self._too_large(size_px, dtype))
            yield transforms

    def _too_large(self, size_px: tuple[int, int], dtype: str) -> str:
        return (
            f"{size_px[0]}×{size_px[1]} px needs more memory than {self.device_name(dtype)} has left: "
            f"choose a smaller size or a narrower network."
        )

    def _ticket(self, owner: str | None) -> Callable[[], None]:
        """A check that raises Superseded once `owner` has asked for something later."""
        if owner is None:
            return lambda: None
        with self._lock:
            number = self._latest.put(owner, (self._latest.find(owner) or 0) + 1)

        def check() -> None:
            if self._latest.find(owner) not in (number, None):
                raise Superseded

        return check

    @contextmanager
    def _turn(self, check: Callable[[float], None]) -> Iterator[None]:
        """Wait for one of the bounded places, giving up when superseded."""
        with self._freed:
            while self._free == 0:
                self._freed.wait(_WAIT_S)
                check(0.0)
            self._free -= 1
        try:
            yield
        finally:
            with self._freed:
                self._free += 1
                self._freed.notify()


def _shape(pictures: Tensor) -> str:
    return f"({', '.join(map(str, pictures.shape))})"


def _timed_passes(network: nn.Module, picture: Tensor) -> Iterator[float]:
    """Seconds of passes, one after the other, on the CPU when the last is done."""
    network(picture).cpu()  # the first takes longer
    begun = time.perf_counter()
    for number in range(_MOST_PASSES):
        started = time.perf_counter()
        network(picture).cpu()
        yield time.perf_counter() - started
        if number >= 2 and time.perf_counter() - begun > _TIMED_S:
            return


def choose_device(wanted: str) -> torch.device:
    """CUDA, else Apple's MPS, else the CPU; or the device called `wanted`. Raises DeviceError where it is absent."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        wanted = next(name for name, present in available.items() if present)
    if not available[wanted]:
        raise DeviceError(f"This machine has no {wanted} device: set EXPLORER_DEVICE to auto or cpu.")
    if wanted == "cuda":  # TF32 keeps 10 bits: "exact" would read 1e-3
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(wanted)


def _is_out_of_memory(error: RuntimeError) -> bool:
    said = ("DefaultCPUAllocator", "MPS backend out of memory")  # these raise plain RuntimeErrors
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in said)
