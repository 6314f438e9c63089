"""The loop: trains the network of a recipe, and continues from a checkpoint as if it had never stopped.

What chance decides is drawn from the recipe alone (`draws`), and a checkpoint holds weights, statistics, the
optimizer's moments and the place in the epoch. On a CPU with the same number of threads a run that was interrupted
ends with the same weights, bit for bit, as one that was not.
"""

import copy
import itertools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.errors import SizeError
from explorer.data.datasets import Dataset, brought
from explorer.errors import RecipeError
from explorer.serving.weights import Weights, classes_of, copy_weights, weights_of, with_classifier_of
from explorer.training.checkpoint import Place, read_checkpoint, write_checkpoint
from explorer.training.draws import Draws, changed, draw, seed_of
from explorer.training.evaluation import Evaluation, evaluate, served
from explorer.training.metrics import Epoch, Progress, packed
from explorer.training.pace import Pace
from explorer.training.recipe import Recipe
from models.build import build, subsampled
from models.catalog import GROUPS, NetworkSpec

_MOMENTUM = 0.9  # of SGD
_FIFTHS = 5  # of a run, after each of which the schedule `step` halves the learning rate


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Raised by a caller's `on_step` to stop a run; the checkpoint is written before it is let through."""


def fit(
    recipe: Recipe,
    dataset: Dataset,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    start: Weights | None = None,
    on_step: Callable[[Progress], None] = lambda progress: None,
    on_epoch: Callable[[Epoch, nn.Module], None] = lambda epoch, network: None,
    report_every_s: float = 0.2,
    checkpoint_every_s: float = 30.0,
) -> nn.Module:
    """The network as built, trained on the data set by the recipe.

    checkpoint: where the state is written every so often; if the file is there, the run continues from it.
    start: weights to start from instead of random ones.
    on_step: told how far the run is, every `report_every_s` seconds (0: after every batch), also while the network is
        evaluated. It may raise Stopped, or anything else, to stop; the checkpoint is written first.
    on_epoch: told the figures of the network, and given it, before training and after each epoch that is tested. One
        that stops it is told the same epoch again when the run continues.

    Raises RecipeError or SizeError where recipe and data do not fit, and where the loss became NaN or infinite;
    WeightsError for weights of another network; RunError for a checkpoint of another run.
    """
    check_fit(recipe, dataset)
    with _determinism(recipe.deterministic):
        run = _Run(recipe, dataset, device, start, on_step, report_every_s)
        if checkpoint is not None:
            run.keep_at(checkpoint, checkpoint_every_s)
        run.go(on_epoch)
        return run.network


def check_fit(recipe: Recipe, dataset: Dataset) -> None:
    """Raise RecipeError or SizeError, in one sentence, where the recipe and the data do not fit each other."""
    check_recipe(recipe)
    count = len(dataset.train.labels)
    if count < 2:
        raise RecipeError(f"{dataset.title} has {count} training pictures: give at least 2.")
    if len(dataset.test.labels) < 1:
        raise RecipeError(f"{dataset.title} has no test pictures: give at least 1.")


def check_recipe(recipe: Recipe) -> None:
    """Raise RecipeError or SizeError, in one sentence, for a recipe that no data fit."""
    recipe.checked()
    if recipe.subsampling != "published" and GROUPS[recipe.network_spec(2).group].filters == "steerable":
        raise RecipeError(
            f"{recipe.network} cannot be trained with {recipe.subsampling} subsampling: choose a z2, p4 or p4m network."
        )
    smallest_px = _smallest_px(recipe)
    if smallest_px > recipe.size_px:
        raise SizeError(f"{recipe.network} cannot take {recipe.size_px} px: give at least {smallest_px} px.")


def _smallest_px(recipe: Recipe) -> int:
    """The smallest side from the recipe's own on that the network takes; the group does not change it."""
    plain = build(NetworkSpec("z2", recipe.network_spec(2).family, minimum_width=True)).eval()

    def takes(side_px: int) -> bool:
        try:
            with torch.inference_mode():
                plain(torch.zeros(1, 3, side_px, side_px))
        except RuntimeError:
            return False
        return True

    return next(side_px for side_px in itertools.count(recipe.size_px) if takes(side_px))


def steps_of(recipe: Recipe, pictures: int) -> int:
    """How many times the weights are updated, for this many training pictures."""
    return recipe.epochs * len(_batches(recipe, pictures))


def _batches(recipe: Recipe, pictures: int) -> list[tuple[int, int]]:
    """First and last place in the order of each batch; a last one of a single picture is left out for batch norm."""
    starts = range(0, pictures, recipe.batch_size)
    ends = [(start, min(start + recipe.batch_size, pictures)) for start in starts]
    return [(start, stop) for start, stop in ends if stop - start > 1]


class _Run:
    """One run, from its start or its checkpoint to its end."""

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        device: torch.device,
        start: Weights | None,
        on_step: Callable[[Progress], None],
        report_every_s: float,
    ) -> None:
        self.recipe, self.dataset, self.device = recipe, dataset, device
        self.spec = recipe.network_spec(len(dataset.classes))
        self.network = _network(recipe, self.spec, start, device)
        self.pictures, self.labels = dataset.train.pictures.to(device), dataset.train.labels.to(device)
        self.batches = _batches(recipe, len(self.labels))
        self.optimizer = _optimizer(recipe, self.network, device)
        self.scheduler = _scheduler(recipe, self.optimizer, recipe.epochs * len(self.batches))
        self.place = Place()
        self.path: Path | None = None
        self.every_s = math.inf
        self.on_step, self.report_every_s = on_step, report_every_s
        self.sums = _sums(0.0, 0.0, device)
        self.pace = Pace()

    def keep_at(self, path: Path, every_s: float) -> None:
        """Write checkpoints there, and continue from the one that is there."""
        self.path, self.every_s = path, every_s
        if path.exists():
            self.place = read_checkpoint(path, self.recipe, self.network, self.optimizer, self.scheduler)
            self.sums = _sums(self.place.loss_sum, self.place.hits, self.device)

    def go(self, on_epoch: Callable[[Epoch, nn.Module], None]) -> None:
        """Train to the end."""
        try:
            if not self.place.is_begun:
                self._report(on_epoch)
                self._go_on(0)
            while self.place.epoch < self.recipe.epochs:
                self._train()
                self._loss()  # also of epochs that are not tested
                epoch = self.place.epoch + 1
                if epoch % self.recipe.test_every == 0 or epoch == self.recipe.epochs:
                    self._report(on_epoch)
                self._go_on(epoch)
        except BaseException:
            self._save()
            raise

    def _train(self) -> None:
        """The rest of an epoch."""
        self.network.train()
        self.pace.start()
        draws = draw(self.recipe, pictures=len(self.labels), epoch=self.place.epoch)
        for start, stop in self.batches[self.place.batch :]:
            self._step(draws.at(start, stop))
            self.place.batch += 1
            self.place.seen += stop - start
            self.pace.count(stop - start)
            self._tick()

    def _step(self, draws: Draws) -> None:
        """One batch."""
        which = draws.order.to(self.device)
        pictures = brought(self.pictures[which], size_px=self.recipe.size_px, how=self.recipe.how)
        pictures = changed(pictures, draws, self.recipe)
        labels = self.labels[which]
        logits = self._forward(pictures)
        loss = functional.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        with torch.no_grad():
            hits = (logits.argmax(1) == labels).sum()
            self.sums += torch.stack([loss.detach() * len(labels), hits])

    def _forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, classes); what is dropped depends on the recipe and the batch alone."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_mixed(self.recipe, self.device)):
            if not self.recipe.dropout:
                return self.network(pictures)
            with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
                torch.manual_seed(seed_of(self.recipe.seed, self.place.epoch, self.place.batch))
                return self.network(pictures)

    def _report(self, on_epoch: Callable[[Epoch, nn.Module], None]) -> None:
        """Evaluate the network and tell its figures."""
        place = self.place
        is_trained = place.is_begun
        loss = self._loss()
        epoch = place.epoch + is_trained
        found = self._evaluate(epoch)
        figures = Epoch(
            epoch=epoch,
            step=epoch * len(self.batches),
            train_loss=loss if is_trained else None,
            train_accuracy=float(self.sums[1]) / place.seen if is_trained else None,
            test_loss=found.loss,
            accuracy=found.accuracy,
            angles=found.angles,
            agreement=found.agreement,
            errors=found.errors,
            filters=found.filters,
            right=packed(found.right) if epoch == self.recipe.epochs else "",
            pictures_per_s=self.pace.pictures_per_s,
            elapsed_s=self.pace.elapsed_s(),
        )
        on_epoch(figures, self.network)

    def _go_on(self, epoch: int) -> None:
        """To the next epoch; so many are finished."""
        self.place = Place(epoch=epoch, is_begun=True)
        self.sums.zero_()
        if epoch == self.recipe.epochs or self.pace.is_due(self.every_s):
            self._save()

    def _evaluate(self, epoch: int) -> Evaluation:
        every = self.recipe.angles_every
        is_last = epoch == self.recipe.epochs
        return evaluate(
            served(self.network, self.spec, self.device),
            self.spec,
            self.dataset.test,
            self.recipe,
            with_angles=bool(every) and (is_last or (epoch > 0 and epoch % every == 0)),
            check=self._tick,
        )

    def _tick(self) -> None:
        """Tell how far the run is, and write a checkpoint, when it is time for either."""
        if self.pace.is_time_to_report(self.report_every_s):
            place = self.place
            done = place.epoch * len(self.batches) + place.batch
            steps = self.recipe.epochs * len(self.batches)
            self.on_step(Progress(done, steps, place.epoch, self._loss(), self.pace.pictures_per_s))
        if self.pace.is_due(self.every_s):
            self._save()

    def _loss(self) -> float:
        """The mean loss of the epoch so far; raises RecipeError where it is NaN or infinite."""
        loss = float(self.sums[0]) / max(self.place.seen, 1)
        if not math.isfinite(loss):
            became = "NaN" if math.isnan(loss) else "infinite"
            raise RecipeError(
                f"The loss became {became} in epoch {self.place.epoch + 1}: start a new run with a smaller learning "
                f"rate."
            )
        return loss

    def _save(self) -> None:
        """Write a checkpoint; the last one stays where the loss or a weight became NaN or infinite."""
        values = (self.sums, *weights_of(self.network).values())
        if self.path is not None and all(bool(value.isfinite().all()) for value in values):
            self.place.loss_sum, self.place.hits = float(self.sums[0]), int(self.sums[1])
            write_checkpoint(self.path, self.recipe, self.place, self.network, self.optimizer, self.scheduler)
            self.pace.saved()


def _sums(loss: float, hits: float, device: torch.device) -> Tensor:
    """(2,): loss and hits of the epoch so far, on the device, so that no batch waits for them."""
    return torch.tensor([loss, hits], dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)


def _network(recipe: Recipe, spec: NetworkSpec, start: Weights | None, device: torch.device) -> nn.Module:
    """The network as built, in training mode, with its subsampling, on the device."""
    network = build(spec, seed=recipe.seed)
    if start is not None:
        start_from(start, network)
    network = subsampled(network, spec)
    # escnn's networks share their bases: moving one would move those of the next that is built.
    return network if device.type == "cpu" else copy.deepcopy(network).to(device)


def start_from(start: Weights, network: nn.Module) -> None:
    """Copy the weights into a network as built, which keeps its classifier where theirs tells more or fewer apart.

    Raises WeightsError for weights of another network.
    """
    has_other_classes = classes_of(start) not in (None, classes_of(Weights("", weights_of(network))))
    copy_weights(network, with_classifier_of(network, start) if has_other_classes else start)


def _optimizer(recipe: Recipe, network: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    fused = device.type in ("cpu", "cuda")
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), rate, _MOMENTUM, weight_decay=decay, nesterov=True, fused=fused)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(network.parameters(), rate, weight_decay=decay, fused=fused)


def _scheduler(
    recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler | None:
    if recipe.schedule == "constant":
        return None
    if recipe.schedule == "step":
        return torch.optim.lr_scheduler.StepLR(optimizer, max(1, steps // _FIFTHS), gamma=0.5)
    # One step more: the scheduler raises after its last one, and it is asked once after each update.
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps + 1)


def is_mixed(recipe: Recipe, device: torch.device) -> bool:
    """Whether to compute in bfloat16: asked for, and done by the device's matrix units."""
    if recipe.precision != "mixed":
        return False
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("amx_bf16") or able.get("avx512_bf16"))


@contextmanager
def _determinism(wanted: bool) -> Iterator[None]:
    """Only operations that give the same bits every time; the process's own setting is put back afterwards."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses to be deterministic
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark
