"""Figures of trained networks: accuracy under turns, agreement over them, the equivariance error of the logits."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.cases import ANGLES_DEG, TESTED, TURNS
from benchmarks.gpu.digits import Data
from benchmarks.gpu.networks import PLANES, Networks
from equivariance.groups.acting import transform_picture
from equivariance.groups.transforms import elements_to_measure, parse
from equivariance.measurement.outputs import output_error


@dataclass(frozen=True)
class Figures:
    """What a test found, by run: each a tensor (copies,) on the CPU. accuracy: by transform; errors: of the logits."""

    loss: Tensor
    accuracy: dict[str, Tensor]
    agreement: Tensor
    errors: Tensor


@torch.inference_mode()
def figures_of(networks: Networks, data: Data, *, with_angles: bool, at_once: int, way: str = "grouped") -> Figures:
    """The figures of all networks over the test pictures, `at_once` of them in a pass."""
    names = list(TESTED)
    if with_angles:
        names += [name for name in map(name_of, ANGLES_DEG) if name not in names]
    logits_of, copies, device = networks.folded(way), networks.copies, data.test_labels.device
    hits = {name: torch.zeros(copies, dtype=torch.int64, device=device) for name in names}
    loss, agreeing = torch.zeros(copies, dtype=torch.float64, device=device), torch.zeros_like(hits["identity"])
    for pictures, labels in zip(data.test_pictures.split(at_once), data.test_labels.split(at_once), strict=True):
        answers: dict[str, Tensor] = {}
        for name in names:
            logits = logits_of(transform_picture(pictures, parse(name)).contiguous())  # (B, copies, classes)
            answers[name] = logits.argmax(2)
            hits[name] += (answers[name] == labels[:, None]).sum(0)
            if name == "identity":
                every = labels[:, None].expand(-1, copies).flatten()
                losses = functional.cross_entropy(logits.flatten(0, 1).double(), every, reduction="none")
                loss += losses.unflatten(0, (-1, copies)).sum(0)
        agreeing += torch.stack([answers[name] == answers["identity"] for name in TURNS]).all(0).sum(0)
    count = len(data.test_labels)
    errors = _logit_errors(networks, logits_of, data.test_pictures[:4])
    accuracy = {name: (hit.double() / count).cpu() for name, hit in hits.items()}
    return Figures((loss / count).cpu(), accuracy, (agreeing.double() / count).cpu(), errors)


def _logit_errors(networks: Networks, logits_of: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """(copies,): the largest error of the logits under the group's elements (D4's without one), mean over pictures."""
    upright = logits_of(pictures)
    errors = []
    for element in elements_to_measure(networks.group):
        moved = logits_of(transform_picture(pictures, element).contiguous())
        rows = zip(moved.flatten(0, 1), upright.flatten(0, 1), strict=True)
        errors.append(torch.stack([output_error(there[None], here[None]) for there, here in rows]))
    return torch.stack(errors).amax(0).unflatten(0, upright.shape[:2]).mean(0).cpu()


def name_of(angle_deg: int) -> str:
    """Of the turn by this angle, as accuracies are kept by it."""
    return "identity" if angle_deg == 0 else f"rot{angle_deg}"


def pictures_at_once(size_px: int, copies: int) -> int:
    """Of test pictures in a pass: no tensor of more than 2 GiB, and a number that 60,000 is a multiple of."""
    largest = 2**29 // (copies * 2 * PLANES * size_px**2)
    return next((count for count in (2000, 1000, 500, 250, 100) if count <= largest), 50)
