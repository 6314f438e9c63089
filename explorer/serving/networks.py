"""Networks as they are kept for all visitors: built layer by layer, shared, forgotten when others need the room."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from equivariance.errors import NetworkError
from equivariance.groups.transforms import elements_to_measure
from equivariance.kept import Kept
from equivariance.layers.export import layers_of
from equivariance.theory.exactness import Structure, layer_errors
from explorer.errors import DeviceError
from explorer.serving.memory import Budget, give_back, megabytes
from explorer.serving.weights import Weights, copy_weights
from models.build import kernel_sizes, serve
from models.catalog import NetworkSpec

DTYPES = {"float32": torch.float32, "float64": torch.float64}
Key = tuple[NetworkSpec, int | str, str]  # network, seed or SHA-256 of weights, dtype
_KEPT_STRUCTURES = 64  # less than 1 MB each
_BUILDING_BYTES = 12  # for each number of the largest kernel, above what is kept: as expanded, and in float64


@dataclass(frozen=True)
class Served:
    """A network ready to run: plain layers on its device, and what theory knows of it."""

    network: nn.Module
    structure: Structure

    @property
    def bytes(self) -> int:
        """Memory of its weights."""
        tensors = [*self.network.parameters(), *self.network.buffers()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def key_of(network: NetworkSpec, seed: int, dtype: str, weights: Weights | None = None) -> Key:
    """What one network is kept by."""
    return network, seed if weights is None else weights.sha256, dtype


class Networks:
    """The networks used last, up to `cache_bytes`. Thread-safe. `device_for` tells which device runs a dtype."""

    def __init__(self, cache_bytes: int, memory: Budget, device_for: Callable[[str], torch.device]) -> None:
        self.cache_bytes, self._memory, self._device_for = cache_bytes, memory, device_for
        self._kept: Kept[Served] = Kept(bytes_of=lambda served: served.bytes)
        self._structures: Kept[Structure] = Kept(_KEPT_STRUCTURES)

    def kept(self, key: Key) -> Served | None:
        """The network, if it has been built and not forgotten."""
        return self._kept.find(key)

    def structure(self, key: Key) -> Structure | None:
        """What theory knows of the network, if it was built: kept for longer, for it is a hundredth as large."""
        return self._structures.find(key)

    def served(self, key: Key, weights: Weights | None = None) -> Served:
        """The network, built by the first thread that asks; the others wait for it.

        Raises WeightsError for weights of another network, NetworkError for a layer that it does not have, and
        DeviceError where memory cannot hold it.
        """
        return self._kept.get_once(key, lambda: self._new(key, weights))

    def _new(self, key: Key, weights: Weights | None) -> Served:
        try:
            served = self._built_where_it_fits(key, weights)
        finally:
            free_memory()
        self._structures.put(key, served.structure)
        return served

    def _built_where_it_fits(self, key: Key, weights: Weights | None) -> Served:
        network, _, dtype = key
        sizes = kernel_sizes(network)
        kept_bytes = sum(sizes) * DTYPES[dtype].itemsize
        self._make_room(kept_bytes)
        needed = kept_bytes + max(sizes) * _BUILDING_BYTES
        with self._memory.reserved(lambda count: needed, most=1) as fits:
            if not fits:
                raise DeviceError(
                    f"{network.name} needs {megabytes(needed)} of memory, and {megabytes(self._memory.left_bytes)} "
                    f"are left: choose a narrower network, or raise EXPLORER_MEMORY_MB where there is more."
                )
            return self._built(key, weights)

    def _make_room(self, needed_bytes: int) -> None:
        """Drop the networks that were used longest ago until one of `needed_bytes` fits beside the rest."""
        self._kept.shrink(self.cache_bytes - needed_bytes)
        free_memory()

    def _built(self, key: Key, weights: Weights | None) -> Served:
        network, seed, dtype = key
        device, elements = self._device_for(dtype), elements_to_measure(network.point_group)
        errors: dict[str, dict[str, float]] = {}

        def finish(name: str, layer: nn.Module) -> None:
            of_layer = layer_errors(layer, elements)  # now, in float64
            if of_layer:
                errors[name] = of_layer
            layer.to(device, DTYPES[dtype])
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's types

        plain = serve(
            network,
            seed=seed if isinstance(seed, int) else 0,
            prepare=lambda built: copy_weights(built, weights) if weights else None,
            finish=finish,
        )
        unknown = set(network.only) - {name for name, _ in layers_of(plain)}
        if unknown:
            raise NetworkError(
                f"{network.name} has no layer {', '.join(sorted(unknown))}: see the first column of `measure`."
            )
        return Served(plain, Structure(plain, network.point_group, errors))


def free_memory() -> None:
    """Give what was freed back: to the GPU's driver, and to the system."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    give_back()
