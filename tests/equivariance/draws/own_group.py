"""Groups of quarter turns and mirrors and their convolutions, written with torch alone: nothing of the library."""

import torch
from torch import Tensor

Move = tuple[bool, int]  # mirrored left-right first, then so many quarter turns counterclockwise

GROUPS: dict[str, tuple[Move, ...]] = {
    "C2": ((False, 0), (False, 2)),
    "C4": tuple((False, turns) for turns in range(4)),
    "D1": ((False, 0), (True, 0)),
    "D2": ((False, 0), (False, 2), (True, 0), (True, 2)),
    "D4": tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4)),
}


def name_of(move: Move) -> str:
    """As the library's reports name it."""
    mirrored, turns = move
    parts = (["mirror"] if mirrored else []) + ([f"rot{90 * turns}"] if turns else [])
    return "_".join(parts) or "identity"


def act(maps: Tensor, move: Move) -> Tensor:
    """The last two axes moved."""
    mirrored, turns = move
    return torch.rot90(maps.flip(-1) if mirrored else maps, turns, (-2, -1))


def swaps(move: Move) -> bool:
    """Whether height and width change places."""
    return move[1] % 2 == 1


def table(group: str) -> list[list[int]]:
    """[g][h] → the number of g∘h, found by moving a picture."""
    moves, picture = GROUPS[group], torch.arange(9).reshape(3, 3)
    pictures = [act(picture, move) for move in moves]
    return [
        [next(at for at, each in enumerate(pictures) if torch.equal(each, act(there, move))) for there in pictures]
        for move in moves
    ]


def symmetric(numbers: Tensor, group: str) -> Tensor:
    """The mean over all moves that fit: all of a square, those that swap no axes of others."""
    square = numbers.shape[-1] == numbers.shape[-2]
    fitting = [move for move in GROUPS[group] if square or not swaps(move)]
    return torch.stack([act(numbers, move) for move in fitting]).mean(0)


def lifted(kernel: Tensor, group: str) -> Tensor:
    """(F, C, k, k) → (F, |G|, C, k, k): the kernel moved by every element."""
    return torch.stack([act(kernel, move) for move in GROUPS[group]], 1)


def expanded(kernel: Tensor, group: str) -> Tensor:
    """(F', F, |G|, k, k) → (F', |G|, F, |G|, k, k): ψ(g⁻¹h, g⁻¹x) for every g."""
    moves, times = GROUPS[group], table(group)
    rows = []
    for g, move in enumerate(moves):
        sources = [next(u for u in range(len(moves)) if times[g][u] == h) for h in range(len(moves))]
        rows.append(act(kernel[:, :, sources], move))
    return torch.stack(rows, 1)


def channels_moved(values: Tensor, group: str, move: Move, layout: str) -> Tensor:
    """The channels of a regular field exchanged as the element does; (B, C, …), or (B, F, |G|, …) for "5d"."""
    order, at = len(GROUPS[group]), GROUPS[group].index(move)
    row = table(group)[at]
    source = [row.index(h) for h in range(order)]
    if layout == "5d":
        return values[:, :, source]
    shape = values.shape
    if layout == "field":
        return values.reshape(shape[0], -1, order, *shape[2:])[:, :, source].reshape(shape)
    return values.reshape(shape[0], order, -1, *shape[2:])[:, source].reshape(shape)
