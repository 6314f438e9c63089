"""Training of the runs of a case, all seeds at once, each with the draws of its own."""

import math
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.cases import ANGLES_DEG, TESTED, TURNS, Budget, Case, recipe_of
from benchmarks.gpu.digits import Data
from benchmarks.gpu.networks import Networks
from benchmarks.gpu.testing import figures_of, name_of, pictures_at_once
from equivariance.groups.acting import turn_each


def drawn(case: Case, seed: int, epoch: int, pictures: int) -> tuple[Tensor, Tensor | None]:
    """Order (N,) of the pictures in an epoch, and the angle in degrees at each place, as explorer draws them.

    What it draws in between, for mirrors and cuts that this grid has none of, is drawn too.
    """
    digest = sha256(f"{seed} {epoch}".encode()).digest()[:8]
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    order = torch.randperm(pictures, generator=generator)
    torch.rand(pictures, generator=generator)
    torch.randint(0, 1, (pictures, 2), generator=generator)
    if case.rotation == "none":
        return order, None
    if case.rotation == "uniform":
        return order, 360.0 * torch.rand(pictures, generator=generator, dtype=torch.float64)
    mean_deg, sd_deg = map(float, case.rotation.removeprefix("normal:").split(","))
    return order, mean_deg + sd_deg * torch.randn(pictures, generator=generator, dtype=torch.float64)


class Training:
    """The runs of a case with these seeds, trained at once."""

    def __init__(self, case: Case, seeds: Sequence[int], budget: Budget, data: Data, way: str = "grouped") -> None:
        self.case, self.seeds, self.budget, self.data = case, seeds, budget, data
        device, dtype = data.train_pictures.device, data.train_pictures.dtype
        self.networks = Networks.of(case, seeds).to(device, dtype).train()
        self.way = way
        count = len(data.train_labels)
        starts = range(0, count, budget.batch_size)
        batches = [(start, min(start + budget.batch_size, count)) for start in starts]
        self.batches = [(start, stop) for start, stop in batches if stop - start > 1]  # batch norm needs two
        self.optimizer = torch.optim.Adam(
            self.networks.parameters(), budget.learning_rate, weight_decay=budget.weight_decay, fused=True
        )
        steps = budget.epochs * len(self.batches)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, max(1, steps // 5), gamma=0.5)

    def epoch(self, number: int) -> tuple[Tensor, Tensor]:
        """Train one, counted from 0: mean loss and accuracy by run, float64 on the CPU."""
        device = self.data.train_labels.device
        draws = [drawn(self.case, seed, number, len(self.data.train_labels)) for seed in self.seeds]
        order = torch.stack([order for order, _ in draws]).to(device)  # (copies, N)
        angles = [angle for _, angle in draws if angle is not None]
        angles_deg = torch.stack(angles).to(device) if angles else None
        sums = torch.zeros(2, len(self.seeds), dtype=torch.float64, device=device)
        for start, stop in self.batches:
            turned = None if angles_deg is None else angles_deg[:, start:stop]
            sums += self.step(order[:, start:stop], turned)
        loss, hits = (sums / sum(stop - start for start, stop in self.batches)).cpu()
        return loss, hits

    def step(self, which: Tensor, angles_deg: Tensor | None = None) -> Tensor:
        """One batch of pictures for each run, (copies, B): (2, copies), sums of losses and of right answers."""
        pictures, labels = self.data.train_pictures[which], self.data.train_labels[which].T
        if angles_deg is not None:
            pictures = turn_each(pictures.flatten(0, 1), angles_deg.flatten()).unflatten(0, which.shape)
        logits = self.networks(pictures.squeeze(2).transpose(0, 1).contiguous(), self.way)  # (B, copies, classes)
        losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        losses = losses.unflatten(0, labels.shape).mean(0)  # each run's own: their sum has each one's gradient
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        self.scheduler.step()
        with torch.no_grad():
            return torch.stack([losses.detach() * len(labels), (logits.argmax(2) == labels).sum(0)]).double()


def train(training: Training, *, test_way: str = "grouped", curve: bool = False) -> dict[int, dict[str, Any]]:
    """The runs by seed, as results files have them but for their session, those whose loss is not finite left out."""
    budget, data, copies = training.budget, training.data, len(training.seeds)
    at_once = pictures_at_once(training.case.size_px, copies)
    curves: list[list[tuple[int, float, float]]] = [[] for _ in training.seeds]
    training_s = 0.0
    for number in range(1, budget.epochs + 1):
        begun = time.perf_counter()
        loss, accuracy = training.epoch(number - 1)
        training_s += time.perf_counter() - begun
        is_last = number == budget.epochs
        if is_last or (curve and number % budget.test_every == 0):
            figures = figures_of(training.networks, data, with_angles=is_last, at_once=at_once, way=test_way)
            unseen = sum(figures.accuracy[name] for name in TURNS[1:]) / 3
            for run, points in enumerate(curves):
                points.append((number, _rounded(figures.accuracy["identity"][run]), _rounded(unseen[run])))
    shown = budget.epochs * len(data.train_labels)
    runs = {}
    for run, seed in enumerate(training.seeds):
        final = {
            "epoch": budget.epochs,
            "step": budget.epochs * len(training.batches),
            "train_loss": _rounded(loss[run]),
            "train_accuracy": _rounded(accuracy[run]),
            "test_loss": _rounded(figures.loss[run]),
            "accuracy": {name: _rounded(figures.accuracy[name][run]) for name in TESTED},
            "angles": [_rounded(figures.accuracy[name_of(angle)][run]) for angle in ANGLES_DEG],
            "agreement": _rounded(figures.agreement[run]),
            "errors": {"logits": float(f"{figures.errors[run]:.3g}")},
            "pictures_per_s": round(shown / training_s, 1),
            "elapsed_s": round((time.perf_counter() - begun) / copies, 2),
            "filters": {},
            "right": "",
        }
        if all(math.isfinite(value) for value in (final["train_loss"], final["test_loss"], final["errors"]["logits"])):
            recipe = recipe_of(training.case, budget, seed)
            runs[seed] = {"seed": seed, "recipe": recipe, "first": None, "final": final, "curve": curves[run]}
    return runs


def _rounded(value: Tensor) -> float:
    return round(float(value), 5)
