"""How drawn networks end: pools over all places in every spelling, linear layers, maps."""

import torch
from torch import nn
from torch.nn import functional

from tests.equivariance.draws.tools import ALL, PLAIN, Apply, Tools, draws

POOLS = [
    lambda x: x.mean((2, 3)),
    lambda x: x.mean([-1, -2]),
    lambda x: x.sum((-2, -1)),
    lambda x: x.amax((2, 3)),
    lambda x: functional.adaptive_avg_pool2d(x, 1).flatten(1),
    lambda x: functional.adaptive_max_pool2d(x, 1)[:, :, 0, 0],
    lambda x: x.flatten(2).mean(-1),
    lambda x: x.flatten(2).max(-1).values,
    lambda x: functional.avg_pool2d(x, x.shape[-2:]).squeeze(-1).squeeze(-1),
    lambda x: functional.max_pool2d(x, x.shape[-2:]).flatten(1),
    lambda x: x.mean(-1).mean(-1),
    lambda x: x.amax(3).amax(2),
    lambda x: x.mean(-1).amax(-1),
    lambda x: x.view(x.shape[0], x.shape[1], -1).sum(2) if x.is_contiguous() else x.sum((2, 3)),
    lambda x: x.flatten(2).logsumexp(-1),
    lambda x: x.square().mean((2, 3)).sqrt(),
    lambda x: x.std((2, 3)),
    lambda x: x.flatten(2).norm(dim=-1),
    lambda x: torch.einsum("bchw->bc", x),
    lambda x: torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1),
    lambda x: x.flatten(2).topk(2, -1).values.mean(-1),
    lambda x: torch.var_mean(x, (2, 3))[0],
    lambda x: (x.flatten(2) @ x.flatten(2).transpose(1, 2)).flatten(1),
    lambda x: (x * x.flatten(2).softmax(-1).reshape(x.shape)).sum((2, 3)),
]
WILD = [
    lambda x: x[:, :, 0, 0],
    lambda x: x[..., x.shape[-2] // 2, x.shape[-1] // 2],
    lambda x: x.mean(-1)[..., 0],
    lambda x: x.cumsum(-1).amax((2, 3)),
    lambda x: x.flatten(2).argmax(-1).to(x.dtype),
    lambda x: x.flatten(2).median(-1).values,
    lambda x: x.mean(2).flatten(1),
    lambda x: x.diagonal(dim1=-2, dim2=-1).sum(-1),
    lambda x: x.amax(-1).mean(-1),
    lambda x: x.flatten(2)[..., ::2].sum(-1),
]


@draws("global pool", PLAIN, head=True, share=1.5)
def _pooled(t: Tools) -> nn.Module:
    pool = t.pick(*(POOLS if t.tame or t.chance(0.5) else WILD))
    if t.chance(0.5):
        return Apply(pool)
    features = int(pool(t.maps).shape[1])
    linear = nn.Linear(features, 2, dtype=torch.float64)
    linear.weight, linear.bias = nn.Parameter(t.numbers(2, features)), nn.Parameter(t.numbers(2))
    return nn.Sequential(Apply(pool), linear)


@draws("flatten and linear", head=True)
def _flattened(t: Tools) -> nn.Module:
    weights = t.places(2, t.channels, *t.sides)
    linear = nn.Linear(weights[0].numel(), 2, dtype=torch.float64)
    linear.weight = nn.Parameter(weights.flatten(1))
    first = t.pick(
        nn.Flatten(), Apply(lambda x: x.reshape(len(x), -1)), Apply(lambda x: x.permute(0, 2, 3, 1).flatten(1))
    )
    if not isinstance(first, nn.Flatten) and first.function.__code__.co_names[:1] == ("permute",):
        linear.weight = nn.Parameter(weights.permute(0, 2, 3, 1).flatten(1))
    if t.chance(0.2):
        return Apply(lambda x, w: torch.einsum("bchw,dchw->bd", x, w), weights=weights)
    return nn.Sequential(first, linear)


@draws("maps", ALL, head=True)
def _maps(t: Tools) -> nn.Module:
    module = t.pick(Apply(lambda x: x), Apply(lambda x: x * 2), Apply(lambda x: x.relu() - 0.1))
    module.ends_as = "maps"
    return module


@draws("tokens", PLAIN[:1], head=True, share=0.3)
def _tokens(t: Tools) -> nn.Module:
    module = Apply(t.pick(lambda x: x.flatten(2).transpose(1, 2), lambda x: x.flatten(2), lambda x: x.movedim(1, -1)))
    return module


@draws("mean over the pictures", PLAIN[:1], head=True, share=0.3)
def _whole(t: Tools) -> nn.Module:
    return Apply(t.pick(lambda x: x.mean(), lambda x: x.flatten().norm()[None], lambda x: x.mean((0, 2, 3))))
