"""Group convolutions in three layouts, and pools over the group."""

from torch import Tensor, nn
from torch.nn import functional

from equivariance.api import regular, scalars
from tests.equivariance.draws.own_group import expanded, lifted
from tests.equivariance.draws.tools import Apply, Tools, draws


def _flat(kernel: Tensor, layout: str, *, of_group: bool) -> Tensor:
    """(F', |G|, F, |G|, k, k) or (F', |G|, C, k, k) as the kernel of a plain convolution in a layout."""
    if layout == "element":
        kernel = kernel.transpose(0, 1)
        kernel = kernel.transpose(2, 3) if of_group else kernel
    kernel = kernel.flatten(0, 1)
    return kernel.flatten(1, 2) if of_group else kernel


class GroupConv(nn.Module):
    """Lifts scalar maps, or convolves regular fields; its kernel is expanded in every pass, or once."""

    def __init__(self, t: Tools, count: int, layout: str, *, size: int, stride: int, padding: int, once: bool) -> None:
        super().__init__()
        self.group, self.layout, self.lifts, self.once = t.group, layout, t.layout == "", once
        self.stride, self.padding, self.order = stride, padding, t.order
        self.layout_after = layout
        fields = t.channels if layout == "5d" or self.lifts else t.channels // t.order
        shape = (count, t.channels, size, size) if self.lifts else (count, fields, t.order, size, size)
        kernel = t.numbers(*shape) / (t.channels * size)
        self.weight = nn.Parameter(self._expanded(kernel) if once else kernel)
        self.bias = nn.Parameter(t.numbers(count)) if t.chance(0.5) else None
        if not t.even:
            self.weight.data = self.weight.data + 0.3 * t.numbers(*self.weight.shape) if once else self.weight.data
        if t.chance(0.3) and layout == "field":
            self.in_type = scalars(t.channels) if self.lifts else regular(t.group, fields)
            self.out_type = regular(t.group, count)

    def _expanded(self, kernel: Tensor) -> Tensor:
        whole = lifted(kernel, self.group) if self.lifts else expanded(kernel, self.group)
        return _flat(whole, self.layout, of_group=not self.lifts)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) or (B, F, |G|, H, W) → the layout's shape."""
        kernel = self.weight if self.once else self._expanded(self.weight)
        bias = None
        if self.bias is not None:
            bias = self.bias.repeat(self.order) if self.layout == "element" else self.bias.repeat_interleave(self.order)
        maps = maps.flatten(1, 2) if maps.dim() == 5 else maps
        result = functional.conv2d(maps, kernel, bias, self.stride, self.padding)
        return result.unflatten(1, (-1, self.order)) if self.layout == "5d" else result


def _made(t: Tools, layout: str) -> nn.Module | None:
    size, stride = t.pick(3, 3, 1) if t.layout else 3, 1 if t.tame and t.chance(0.7) else t.pick(1, 2)
    if not t.tame:
        size = t.pick(2, 3)
    return GroupConv(t, t.pick(1, 2), layout, size=size, stride=stride, padding=size // 2, once=t.chance(0.5))


@draws("lifting convolution", share=1.6)
def _lift(t: Tools) -> nn.Module | None:
    return _made(t, t.pick("field", "element", "5d"))


@draws("group convolution", ("field", "element", "5d"), share=5)
def _group(t: Tools) -> nn.Module | None:
    return _made(t, t.layout)


@draws("pool over the group", ("field", "element", "5d"))
def _pool(t: Tools) -> nn.Module:
    order, at = t.order, 1 if t.layout == "element" else 2
    reduce = t.pick(
        lambda x: x.amax(at),
        lambda x: x.mean(at),
        lambda x: x.sum(at),
        lambda x: x.max(at).values,
        lambda x: x.norm(dim=at),
    )
    if t.layout == "5d":
        return Apply(reduce, layout="")
    shape = (-1, order) if t.layout == "field" else (order, -1)
    if t.chance(0.5):
        return Apply(lambda x: reduce(x.unflatten(1, shape)), layout="")
    return Apply(lambda x: reduce(x.reshape(x.shape[0], *shape, *x.shape[2:])), layout="")


@draws("fields normed", ("field", "element"), share=3)
def _normed(t: Tools) -> nn.Module:
    order = t.order
    count = t.channels // order
    numbers = t.numbers(count)
    if t.tame:
        numbers = numbers.repeat_interleave(order) if t.layout == "field" else numbers.repeat(order)
    else:
        numbers = t.numbers(t.channels)
    return t.pick(
        Apply(lambda x, w: x * w[:, None, None], scale=numbers),
        Apply(lambda x, w: functional.batch_norm(x, w * 0, w.abs() + 0.3, w, w), scale=numbers),
        Apply(lambda x, w: functional.prelu(x, w), scale=numbers),
        Apply(lambda x, w: functional.group_norm(x, 1, w, w), scale=numbers),
        Apply(lambda x, w: functional.group_norm(x, count if t.layout == "field" else 1, w, w), scale=numbers),
        Apply(lambda x, w: x + w.reshape(1, -1, 1, 1), scale=numbers),
        Apply(lambda x, w: x.softmax(1) * w.mean(), scale=numbers),
    )


@draws("channels of fields mixed as if they were scalar", ("field", "element"))
def _mixed(t: Tools) -> nn.Module | None:
    if t.tame and t.chance(0.7):
        return None
    return Apply(lambda x, w: functional.conv2d(x, w), w=t.numbers(2, t.channels, 1, 1), layout="lost")
