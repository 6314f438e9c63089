"""Functions of numbers, norms, attention, and what depends on the data."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.equivariance.draws.tools import ALL, PLAIN, Apply, Tools, draws


@draws("function of each number", ALL, share=1.5)
def _pointwise(t: Tools) -> nn.Module:
    return t.pick(
        nn.ReLU(),
        nn.ReLU(inplace=False),
        nn.GELU(),
        nn.Hardswish(),
        nn.SiLU(),
        nn.Tanh(),
        nn.ELU(),
        nn.LeakyReLU(0.1),
        Apply(lambda x: x.abs().sqrt()),
        Apply(lambda x: x * torch.sigmoid(x)),
        Apply(lambda x: x.clamp(-1, 0.5)),
        Apply(lambda x: (x > 0.1).to(x.dtype) * x),
        Apply(lambda x: (x * 4).round() / 4),
        Apply(lambda x: torch.where(x > 0, x, -2 * x)),
        Apply(lambda x: (x * 8).long().bitwise_and(3).to(x.dtype) + x),
        Apply(lambda x: torch.exp(-x.square())),
        Apply(lambda x: x.float().relu().double()),
        Apply(lambda x: torch.maximum(x, x.mean((-1, -2), keepdim=True))),
        Apply(lambda x: torch.lerp(x, x.relu(), 0.3)),
        Apply(lambda x: 1 / (1 + x.abs())),
        Apply(lambda x: x.clone().requires_grad_(False).contiguous(memory_format=torch.contiguous_format)),
    )


@draws("channels' own numbers")
def _by_channel(t: Tools) -> nn.Module:
    c = t.channels
    slope = t.numbers(c)
    return t.pick(
        Apply(lambda x, w: functional.prelu(x, w), slope=slope),
        Apply(lambda x, w: x * w.reshape(1, -1, 1, 1), scale=slope),
        Apply(lambda x, w: x - w.reshape(-1, 1, 1), mean=slope),
        Apply(lambda x, w: torch.einsum("bchw,dc->bdhw", x, w), w=t.numbers(2, c)),
        Apply(lambda x, w: functional.linear(x.movedim(1, -1), w).movedim(-1, 1), w=t.numbers(3, c)),
        Apply(lambda x, w: (x.permute(0, 2, 3, 1) @ w).permute(0, 3, 1, 2), w=t.numbers(c, 2)),
        Apply(lambda x: x.softmax(1)),
        Apply(lambda x: functional.normalize(x, dim=1)),
        Apply(lambda x: functional.glu(torch.cat([x, x * 2], 1), 1)),
        Apply(lambda x: x.cumsum(1)),
        Apply(lambda x: x.sort(1).values),
        Apply(lambda x: x.topk(1, 1).values),
        Apply(lambda x: x.amax(1, keepdim=True)),
        Apply(lambda x: x.median(1, keepdim=True).values),
        Apply(lambda x: x.argmax(1, keepdim=True).to(x.dtype)),
    )


@draws("norm", ALL)
def _norm(t: Tools) -> nn.Module | None:
    c = t.channels
    if t.layout == "5d":
        return (
            Apply(lambda x: functional.batch_norm(x.flatten(3), None, None, training=True).reshape(x.shape))
            if False
            else nn.BatchNorm3d(c, affine=True, dtype=torch.float64)
        )
    if t.layout:
        norm = t.pick(
            nn.InstanceNorm2d(c, dtype=torch.float64),
            Apply(lambda x: functional.layer_norm(x, x.shape[1:])),
            Apply(lambda x: x / x.square().mean((1, 2, 3), keepdim=True).sqrt()),
            nn.BatchNorm2d(c, affine=False, track_running_stats=False, dtype=torch.float64),
        )
        return norm
    batch = nn.BatchNorm2d(c, dtype=torch.float64)
    batch.running_mean, batch.running_var = t.numbers(c), t.numbers(c).abs() + 0.3
    batch.weight, batch.bias = nn.Parameter(t.numbers(c)), nn.Parameter(t.numbers(c))
    instance = nn.InstanceNorm2d(c, affine=True, track_running_stats=t.chance(0.3), dtype=torch.float64)
    affine = nn.LayerNorm([c, *t.sides], dtype=torch.float64)
    affine.weight = nn.Parameter(t.places(c, *t.sides))
    weight = t.numbers(c)
    return t.pick(
        batch,
        batch,
        instance,
        nn.GroupNorm(t.pick(1, c), c, dtype=torch.float64),
        affine,
        nn.LocalResponseNorm(2),
        nn.BatchNorm2d(c, track_running_stats=False, dtype=torch.float64),
        Apply(lambda x, w: functional.layer_norm(x.movedim(1, -1), (x.shape[1],), w).movedim(-1, 1), w=weight),
        Apply(lambda x, w: w[:, None, None] * x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6), w=weight),
        Apply(lambda x: (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 1e-3)),
        Apply(
            lambda x: functional.layer_norm(x, x.shape[-1:]) if not t.tame else functional.layer_norm(x, x.shape[-2:])
        ),
        Apply(lambda x: x / x.amax((2, 3), keepdim=True).clamp_min(0.1)),
        Apply(lambda x: x / x.norm(dim=(2, 3), keepdim=True)),
    )


@draws("squeeze and excite")
def _excite(t: Tools) -> nn.Module:
    one, two = t.numbers(2, t.channels), t.numbers(t.channels, 2)

    def gated(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        share = functional.linear(functional.linear(x.mean((2, 3)), a).relu(), b).sigmoid()
        return x * share[:, :, None, None]

    return Apply(gated, one=one, two=two)


@draws("attention")
def _attention(t: Tools) -> nn.Module | None:
    if max(t.sides) > 11:
        return None
    c = t.channels
    q, k, v = t.numbers(c, c), t.numbers(c, c), t.numbers(c, c)
    height, width = t.sides
    table = t.places(1, height, width).reshape(1, height * width, 1) if t.chance(0.5) else torch.zeros(1, 1, 1)
    if t.tame:
        table = table * t.pick(0.0, 1.0)
    style = t.pick("own", "sdpa", "einsum", "module", "bias")
    bias = t.numbers(height * width, height * width) * (0 if t.tame else 1)
    module = nn.MultiheadAttention(c, 1, batch_first=True, dtype=torch.float64)
    for parameter in module.parameters():
        parameter.data = t.numbers(*parameter.shape)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module if style == "module" else None
            self.q, self.k, self.v = map(nn.Parameter, (q, k, v))
            self.register_buffer("table", table)
            self.register_buffer("bias", bias)

        def forward(self, x: Tensor) -> Tensor:
            tokens = x.flatten(2).transpose(1, 2)
            if self.table.shape[1] in (1, tokens.shape[1]):
                tokens = tokens + self.table.double()
            if self.inner is not None:
                mixed = self.inner(tokens, tokens, tokens, need_weights=False)[0]
                return mixed.transpose(1, 2).unflatten(2, x.shape[-2:])
            one, two, three = tokens @ self.q, tokens @ self.k, tokens @ self.v
            if style == "sdpa":
                mixed = functional.scaled_dot_product_attention(one[:, None], two[:, None], three[:, None])[:, 0]
            elif style == "einsum":
                shares = torch.einsum("bqc,bkc->bqk", one, two).softmax(-1)
                mixed = torch.einsum("bqk,bkc->bqc", shares, three)
            else:
                scores = one @ two.transpose(1, 2)
                if style == "bias" and self.bias.shape == scores.shape[1:]:
                    scores = scores + self.bias
                mixed = scores.softmax(-1) @ three
            return mixed.transpose(1, 2).reshape(x.shape)

    return Attention()


@draws("softmax over places", PLAIN)
def _over_places(t: Tools) -> nn.Module:
    if t.tame:
        return t.pick(
            Apply(lambda x: x.flatten(2).softmax(-1).unflatten(2, x.shape[-2:])),
            Apply(lambda x: x - x.flatten(2).logsumexp(-1)[:, :, None, None]),
            Apply(lambda x: x.softmax(-1) + x.softmax(-2)),
        )
    return Apply(t.pick(lambda x: x.softmax(-1), lambda x: x.log_softmax(-2)))


@draws("order and places of numbers", PLAIN, share=0.6)
def _order(t: Tools) -> nn.Module:
    return Apply(
        t.pick(
            lambda x: x.cumsum(-1),
            lambda x: x.cumsum(-1) + x.flip(-1).cumsum(-1).flip(-1) if t.tame else x.cumsum(-2),
            lambda x: x.sort(-1).values,
            lambda x: x.flatten(2).sort(-1).values.unflatten(2, x.shape[-2:]),
            lambda x: x * (x == x.amax((2, 3), keepdim=True)).to(x.dtype),
            lambda x: x + x.flatten(2).argmax(-1)[:, :, None, None].to(x.dtype) * 0.01,
            lambda x: x + x.flatten(2).topk(2).values.mean(-1)[:, :, None, None],
            lambda x: x.gather(-1, x.argsort(-1)),
            lambda x: x + x.flatten(2).median(-1).values[:, :, None, None],
            lambda x: x.diff(dim=-1),
            lambda x: x.tril() if x.shape[-1] == x.shape[-2] else x,
            lambda x: torch.cummax(x, -1).values,
            lambda x: x.take_along_dim(x.flatten(2).argmax(-1, keepdim=True)[..., None] % x.shape[-1], -1) + x,
        )
    )


@draws("Fourier transform", PLAIN, share=0.4)
def _fft(t: Tools) -> nn.Module:
    return Apply(
        t.pick(
            lambda x: torch.fft.fft2(x).abs(),
            lambda x: torch.fft.ifft2(torch.fft.fft2(x) * 0.5).real,
            lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[-2:]),
            lambda x: x * torch.fft.rfft2(x).abs().mean((-2, -1), keepdim=True),
        )
    )


@draws("data decide", share=0.3)
def _data(t: Tools) -> nn.Module:
    return Apply(
        t.pick(
            lambda x: x * x.mean().item(),
            lambda x: x + 1 if x.sum() > 0 else x * 2,
            lambda x: x.flip(-1) if x[0, 0, 0, 0] > 0.5 else x,
            lambda x: torch.from_numpy(x.detach().numpy() * 2),
            lambda x: x + torch.as_tensor(x.detach().numpy()[..., ::-1].copy()),
            lambda x: x / float(x.abs().max()),
            lambda x: x * len(x.nonzero()) / x.numel(),
            lambda x: x - torch.tensor(x.tolist()).double().mean(),
            lambda x: x[x > -1e9].reshape(x.shape),
        )
    )


@draws("chance", share=0.3)
def _chance(t: Tools) -> nn.Module | None:
    if t.tame:
        return nn.Dropout(0.5)
    return Apply(
        t.pick(
            lambda x: functional.dropout(x, 0.5, training=True),
            lambda x: x + 0.1 * torch.rand_like(x),
            lambda x: x + 0.1 * torch.randn(x.shape, dtype=x.dtype),
            lambda x: x[:, torch.randperm(x.shape[1])] if x.shape[1] > 1 else x + torch.rand(1).double(),
        )
    )


@draws("state that changes", PLAIN, share=0.3)
def _state(t: Tools) -> nn.Module:
    def counted(x: Tensor, count: Tensor) -> Tensor:
        count.add_(1)
        return x * (count >= 1).to(x.dtype) if t.tame else x + count.to(x.dtype)

    def averaged(x: Tensor, mean: Tensor) -> Tensor:
        mean.mul_(0.5).add_(x.mean(), alpha=0.5)
        return x - mean if not t.tame else x

    return t.pick(Apply(counted, count=torch.zeros(1)), Apply(averaged, mean=torch.zeros(1, dtype=torch.float64)))


@draws("not numbers", PLAIN, share=0.3)
def _not_numbers(t: Tools) -> nn.Module:
    return Apply(
        t.pick(
            lambda x: torch.log(x - 0.5),
            lambda x: x / (x - x),
            lambda x: torch.nan_to_num(torch.log(x - 0.5), 0.0),
            lambda x: x * 0,
            lambda x: torch.ones_like(x),
            lambda x: x.relu() * 0 + 1,
        )
    )


@draws("whole matrices of places", PLAIN)
def _matrix(t: Tools) -> nn.Module:
    height, width = t.sides
    rows, columns = t.numbers(height, height), t.numbers(width, width)
    if t.tame:
        rows = (rows + rows.flip(0, 1)) / 2
        columns = rows if height == width else (columns + columns.flip(0, 1)) / 2
    return Apply(
        t.pick(lambda x, a, b: a @ x @ b.T, lambda x, a, b: torch.einsum("bchw,ih,jw->bcij", x, a, b)),
        rows=rows,
        columns=columns,
    )


@draws("autocast", share=0.3)
def _autocast(t: Tools) -> nn.Module:
    layer = nn.Conv2d(t.channels, 2, 1, dtype=torch.float64)
    layer.weight = nn.Parameter(t.kernel(*layer.weight.shape))

    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layer

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not t.tame):
                return self.inner(x)

    return Cast()
