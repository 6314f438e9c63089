"""The calls of a network's layers while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from equivariance.following.arguments import first_tensor
from equivariance.following.recording import Called, Recording
from equivariance.following.shapes import side_of
from equivariance.layers.export import layers_of

NumberOf = Callable[[Any], int | None]  # of a tensor, the number of its value


class CallNames:
    """Names for calls of modules: the module's name, with the number of the call from the second call on."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def next(self, module_name: str) -> str:
        """`relu`, then `relu#2`, …"""
        self._counts[module_name] = self._counts.get(module_name, 0) + 1
        count = self._counts[module_name]
        return module_name if count == 1 else f"{module_name}#{count}"


@dataclass(frozen=True)
class _OpenCall:
    """A layer that is at work; first: the number of its first operation, input: of the value it is given."""

    name: str
    kind: str
    module_name: str
    in_hw: tuple[int, int]
    first: int
    input: int | None


class Calls:
    """Which layer, and which block, is at work; each call is added to a recording when it ends.

    blocks: whether to look at blocks too.
    """

    def __init__(self, recording: Recording, *, blocks: bool) -> None:
        self._recording, self._sees_blocks = recording, blocks
        self._open: list[_OpenCall] = []
        self._blocks: list[str] = []
        self._names = CallNames()

    @property
    def name(self) -> str:
        """Of the call of the innermost layer that is at work; "" outside all layers."""
        return self._open[-1].name if self._open else ""

    @property
    def block(self) -> str:
        """The innermost module with parts that is at work; "" for the network itself."""
        return self._blocks[-1] if self._blocks else ""

    @contextmanager
    def watch(self, network: nn.Module, number_of: NumberOf) -> Iterator[None]:
        """While the network runs in it, calls are noted."""
        handles = []
        for name, module in layers_of(network):
            handles.append(module.register_forward_pre_hook(self._opener(name or "network", number_of)))
            handles.append(module.register_forward_hook(self._closer(number_of), always_call=True))
        for name, module in network.named_modules() if self._sees_blocks else ():
            if any(module.children()) and not isinstance(module, nn.Sequential):
                handles.append(module.register_forward_pre_hook(self._block_opener(name)))
                handles.append(module.register_forward_hook(self._close_block, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _block_opener(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._blocks.append(name)

        return hook

    def _close_block(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._blocks.pop()

    def _opener(self, module_name: str, number_of: NumberOf) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            given: Tensor | None = first_tensor(inputs)
            self._open.append(
                _OpenCall(
                    self._names.next(module_name),
                    type(module).__name__,
                    module_name,
                    side_of(given),
                    len(self._recording.operations),
                    number_of(given),
                )
            )

        return hook

    def _closer(self, number_of: NumberOf) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if not self._open:
                return
            call, given = self._open.pop(), first_tensor((output,))
            self._recording.calls.append(
                Called(
                    call.name,
                    call.kind,
                    call.module_name,
                    call.in_hw,
                    side_of(given),
                    call.first,
                    len(self._recording.operations),
                    call.input,
                    number_of(given),
                    given.numel() if given is not None else 0,
                )
            )

        return hook
