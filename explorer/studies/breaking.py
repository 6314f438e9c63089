"""Training to break: the strongest test of exactness (Edixhoven et al. 2023, "learning to be un-equivariant").

A network with two classes learns to tell one picture from its own transform. If it is exactly equivariant, its
invariant logits are the same for both, whatever the weights, and the mean cross-entropy of the pair cannot fall below
ln 2. If it is only approximately equivariant, training finds weights that use the slack.

Both pictures form one batch, in training mode: batch norm then sees the same values for the pair in any order, and its
statistics are shared by the elements of a field, so it commutes with the group. Running statistics, which start
elsewhere, would test another network than the one that learns.

All is float32. Seen over 5,000 steps of exact networks: never more than 6e-8 below ln 2.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from equivariance.errors import NetworkError, SizeError, TransformError
from equivariance.groups.acting import transform_picture
from equivariance.groups.point_groups import Element
from equivariance.groups.transforms import elements_to_measure
from equivariance.layers.group_conv import GroupConv2d
from equivariance.theory.exactness import Prediction, predict
from equivariance.theory.grids import BROKEN
from explorer.errors import PictureError, SettingError
from explorer.serving.engine import Engine
from explorer.serving.memory import gradient_bytes
from explorer.serving.weights import Weights, copy_weights, with_classifier_of
from models.build import build, kernel_sizes, subsampled
from models.catalog import GROUPS, NetworkSpec

LN_2 = math.log(2.0)
QUARTER_TURN = Element(90.0)
BROKEN_BELOW = LN_2 - 0.01  # far below rounding, far above what a network that has learnt reaches
MOST_STEPS = 20_000
MOST_PIXELS = {"knight": 100_000_000}  # steps times pixels of one picture: a minute or two on one core
MOST_PIXELS_OF_DEEP = 2_000_000
SHOWN_FILTERS = 8
_CLASSES = 2
_SAME_ANSWER = 1e-6  # answers that differ by rounding tell nothing apart, on whichever side of ½ they fall
_SAME_MEAN = 1e-5  # relative: means that differ less are alike
_FIRST_SCALE = 0.1  # of the classifier's random weights, so that the loss starts near ln 2


@dataclass(frozen=True)
class Attempt:
    """What to train: the network, the picture (3, S, S), 0..1, float32, and the element that it is told apart from.

    `learning_rate` is Adam's; None takes `default_learning_rate` of the network. `weights`: of the network, to start
    from, but for its classifier, which has other classes; None starts from random ones.
    """

    network: NetworkSpec
    picture: Tensor = field(repr=False)
    element: Element = QUARTER_TURN
    seed: int = 0
    steps: int = 600
    learning_rate: float | None = None
    weights: Weights | None = field(default=None, repr=False)

    @property
    def size_px(self) -> int:
        """Side of the picture."""
        return int(self.picture.shape[-1])


@dataclass(frozen=True)
class TrainedStep:
    """The network after `step` updates: loss and accuracy (0, 0.5 or 1) over the pair.

    answers: the probability of "transformed" that it gives the picture and its transform; (0, 1) would be right.
    """

    step: int
    loss: float
    accuracy: float
    answers: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Insight:
    """What the network sees, float32 on the CPU.

    pair: (2, 3, S, S), 0..1, the picture and its transform.
    evidence: (2, h, w), for both, the second turned back: how much each place speaks for "transformed". Their means
        over space are the differences of the two logits.
    filters: (n, k, k), n at most SHOWN_FILTERS: kernels of the first convolution, averaged over its input channels.
    """

    pair: Tensor
    evidence: Tensor
    filters: Tensor


@dataclass(frozen=True)
class Outcome:
    """The losses of all steps, what theory predicted, and the verdict of the training."""

    predicted: str
    losses: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """`broken` where the loss fell clearly below ln 2, else `unbreakable`."""
        return "broken" if min(self.losses) < BROKEN_BELOW else "unbreakable"

    @property
    def contradicts(self) -> bool:
        """Whether training broke what theory calls exact."""
        return self.predicted == "exact" and self.verdict == "broken"

    @property
    def sentence(self) -> str:
        """What theory and training say together."""
        if self.contradicts:
            return "Theory calls the network exact and training broke it: a bug or a discovery. Please report it."
        if self.verdict == "broken":
            return f"Training told the two apart: the network is {self.predicted}, as theory says."
        if self.predicted == "exact":
            return "Training could not tell the two apart, and theory says that no weights can."
        return (
            f"Theory calls the network {self.predicted}, but {len(self.losses) - 1} steps did not break it: that "
            "proves nothing. Try more steps, another seed or another learning rate."
        )


class Training:
    """One attempt; iterating trains it and gives `steps` + 1 results, the first before any update.

    Raises an EquivarianceError at once for what cannot be trained, and SettingError where the loss became NaN or
    infinite.
    """

    def __init__(self, attempt: Attempt) -> None:
        check(attempt)
        self.attempt = attempt
        rate = attempt.learning_rate
        self._network = _learner(attempt.network, attempt.seed, attempt.weights)
        self._pair = pair_of(attempt.picture, attempt.element)
        self._adam = torch.optim.Adam(
            self._network.parameters(), lr=default_learning_rate(attempt.network) if rate is None else rate
        )
        self._maps = torch.empty(0)  # (2, C, h, w): what the head takes the mean of
        self._network.head.leave.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        self._maps = output.detach()

    def __iter__(self) -> Iterator[TrainedStep]:
        """Train. `insight` may be asked between two results."""
        # Mean 0, standard deviation 1: with pictures of 0..1 the one ReLU of the knight's network often dies.
        batch = (self._pair - self._pair.mean()) / self._pair.std()
        right = torch.tensor([0, 1])
        for step in range(self.attempt.steps + 1):
            logits = self._network(batch)
            loss = functional.cross_entropy(logits, right)
            yield self._result(step, logits.detach(), float(loss.detach()))
            self._adam.zero_grad()
            loss.backward()
            self._adam.step()

    def _result(self, step: int, logits: Tensor, loss: float) -> TrainedStep:
        if not math.isfinite(loss):
            became = "NaN" if math.isnan(loss) else "infinite"
            raise SettingError(f"The loss became {became} after {step} steps: give a smaller learning rate.")
        upright, transformed = logits.softmax(1)[:, 1].tolist()
        if abs(upright - transformed) < _SAME_ANSWER:
            return TrainedStep(step, loss, 0.5, (upright, transformed))
        return TrainedStep(step, loss, ((upright < 0.5) + (transformed > 0.5)) / 2, (upright, transformed))

    @torch.no_grad()
    def insight(self) -> Insight:
        """What the network of the latest result sees."""
        evidence = self._evidence()
        returned = transform_picture(evidence[1], self.attempt.element.inverse)
        kernels = _first_kernel(self._network)[:SHOWN_FILTERS].mean(1)
        return Insight(self._pair, torch.stack([evidence[0], returned]), kernels.clone())

    def _evidence(self) -> Tensor:
        """(2, h, w): how much each place speaks for the second answer; its mean is the difference of the logits.

        What follows the mean over space is the largest value or the length of each field, if anything, and a linear
        layer: F(λm) = λF(m) but for the bias, so that F(m) = ∇F(m)·m (Euler), and each place has its share ∇F(m)·f(p).
        """
        head = self._network.head
        names = [name for name, _ in head.named_children()]
        after = head[names.index("spatial_mean") + 1 :]
        means = self._maps.mean((2, 3))
        step = means.abs().max() * _SAME_MEAN  # elements that are the largest but for rounding share alike
        means = ((means / step).round() * step).requires_grad_()
        with torch.enable_grad():
            logits = after(means)
            (shares,) = torch.autograd.grad((logits[:, 1] - logits[:, 0]).sum(), means)
        bias = head.classifier.bias[1] - head.classifier.bias[0]
        return torch.einsum("bc,bchw->bhw", shares, self._maps) + bias


def check(attempt: Attempt) -> None:
    """Raise an EquivarianceError, in one sentence, for what cannot be trained."""
    network, side_px, steps = attempt.network, attempt.size_px, attempt.steps
    if not network.pools_group:
        raise NetworkError("Training to break needs invariant logits: leave group pooling on.")
    if network.subsampling != "published" and GROUPS[network.group].filters == "steerable":
        raise NetworkError(
            f"{network.name} cannot be trained with {network.subsampling} subsampling: choose a p4 or p4m network."
        )
    if attempt.picture.shape[-2] != side_px:
        raise SizeError("The picture and its turn must fit into one batch: give a square size.")
    if attempt.element not in elements_to_measure(network.point_group):
        names = ", ".join(element.name for element in elements_to_measure(network.point_group))
        raise TransformError(f"{network.name} cannot be tested under {attempt.element.name}: give one of {names}.")
    rate = attempt.learning_rate
    if rate is not None and not 0.0 < rate <= 1.0:
        raise SettingError(f"A learning rate of {rate:g} is not accepted: give one above 0, and at most 1.")
    most = most_steps(network, side_px)
    if not 1 <= steps <= most:
        raise SettingError(f"{steps} steps of {network.name} at {side_px} px are not accepted: give 1 to {most}.")
    if torch.equal(*pair_of(attempt.picture, attempt.element)):
        raise PictureError(f"The picture does not change under {attempt.element.name}: choose a picture that does.")


def most_steps(network: NetworkSpec, size_px: int) -> int:
    """The most steps that are trained at this size; at least 1."""
    pixels = MOST_PIXELS.get(network.family, MOST_PIXELS_OF_DEEP)
    return max(1, min(MOST_STEPS, pixels // size_px**2))


def default_learning_rate(network: NetworkSpec) -> float:
    """Adam's learning rate: the paper's 0.03 for the one-layer network, 0.001 for deep ones."""
    return 0.03 if network.family == "knight" else 0.001


def step_bytes(engine: Engine, attempt: Attempt) -> int:
    """What one step of training takes beside that, at most: the kernels, their gradients and all features."""
    structure = engine.structure(attempt.network, attempt.seed, weights=attempt.weights)
    recorded = structure.trace(height_px=attempt.size_px, width_px=attempt.size_px)
    kernels = 2 * sum(kernel_sizes(attempt.network))
    return gradient_bytes(recorded, pictures=2, kernel_numbers=kernels, item_bytes=4)


def pair_of(picture: Tensor, element: Element) -> Tensor:
    """(2, 3, S, S): the picture and its transform."""
    return torch.stack([picture, transform_picture(picture, element)])


def predicted_by_theory(engine: Engine, attempt: Attempt) -> tuple[str, Prediction]:
    """Whether `attempt` can succeed: "exact", "approximate", "not equivariant" or "undecided"; and the prediction.

    It is about the one element that is trained: at some sizes a network is exact for some elements only.
    """
    structure = engine.structure(attempt.network, attempt.seed, weights=attempt.weights)
    prediction = predict(structure, height_px=attempt.size_px, width_px=attempt.size_px)
    status = prediction.elements[attempt.element.name]
    if status != BROKEN:
        return status, prediction
    return ("not equivariant" if prediction.verdict == "not equivariant" else "approximate"), prediction


def _learner(network: NetworkSpec, seed: int, weights: Weights | None) -> Any:
    """The network with two classes, in training mode, its classifier random and scaled down."""
    learner: Any = build(replace(network, classes=_CLASSES), seed=seed)
    if weights is not None:
        copy_weights(learner, with_classifier_of(learner, weights))
    with torch.no_grad():
        learner.head.classifier.weight *= _FIRST_SCALE
        learner.head.classifier.bias *= _FIRST_SCALE
    return subsampled(learner, network)


def _first_kernel(network: nn.Module) -> Tensor:
    """The planar kernel (C_out, C_in, k, k) of the first convolution, of whichever kind."""
    layers: Iterator[Any] = network.modules()
    for layer in layers:
        if isinstance(layer, GroupConv2d):
            return layer.kernel()
        if isinstance(layer, nn.Conv2d):
            return layer.weight
        if hasattr(layer, "expand_parameters"):  # escnn's, which is not imported for other networks
            return layer.expand_parameters()[0]
    raise AssertionError("a network without convolutions")
