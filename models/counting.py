"""Kits that count: a network built of them says how large it is, without the weights of the real one."""

from collections.abc import Callable
from typing import Any

from torch import nn

from equivariance.groups.fields import FieldType
from models.blocks import Kit


class _Around(Kit):
    """Has the types of another kit, which stays as it is; what the layers are is left to say."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit.group)
        self._kit = kit

    def picture(self, channels: int) -> Any:
        return self._kit.picture(channels)

    def hidden(self, planes: int) -> Any:
        return self._kit.hidden(planes)

    def field_type(self, field_type: Any) -> FieldType:
        return self._kit.field_type(field_type)

    def enter(self, picture: Any) -> nn.Module:
        return self._kit.enter(picture)

    def dropout(self, field_type: Any, rate: float) -> nn.Module:
        return nn.Identity()

    def leave(self) -> nn.Module:
        return self._kit.leave()


class KernelCounter(_Around):
    """Makes no layers and notes in `sizes` how many numbers each kernel of the served network would have."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.sizes: list[int] = []

    def conv(
        self, in_type: Any, out_type: Any, kernel_size: int, *, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> nn.Module:
        channels = self.field_type(in_type).channels * self.field_type(out_type).channels
        self.sizes.append(channels * kernel_size**2)
        return nn.Identity()

    def norm(self, field_type: Any) -> nn.Module:
        return nn.Identity()

    def activation(self, field_type: Any) -> nn.Module:
        return nn.Identity()

    def max_pool(self, field_type: Any, kernel_size: int, *, stride: int, padding: int = 0) -> nn.Module:
        return nn.Identity()

    def group_pool(self, field_type: Any) -> nn.Module:
        return nn.Identity()


class SharedLayers(_Around):
    """Makes one layer for all that are alike: its parameters, counted under each of their names, are those of all."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._made: dict[tuple[Any, ...], nn.Module] = {}

    def conv(
        self, in_type: Any, out_type: Any, kernel_size: int, *, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> nn.Module:
        options = {"stride": stride, "padding": padding, "bias": bias}
        return self._shared(self._kit.conv, in_type, out_type, kernel_size, **options)

    def norm(self, field_type: Any) -> nn.Module:
        return self._shared(self._kit.norm, field_type)

    def activation(self, field_type: Any) -> nn.Module:
        return self._shared(self._kit.activation, field_type)

    def max_pool(self, field_type: Any, kernel_size: int, *, stride: int, padding: int = 0) -> nn.Module:
        return self._shared(self._kit.max_pool, field_type, kernel_size, stride=stride, padding=padding)

    def group_pool(self, field_type: Any) -> nn.Module:
        return self._shared(self._kit.group_pool, field_type)

    def _shared(self, make: Callable[..., nn.Module], *arguments: Any, **options: Any) -> nn.Module:
        key = (make.__name__, *arguments, *options.items())
        if key not in self._made:
            self._made[key] = make(*arguments, **options)
        return self._made[key]
