"""What tests of runs share: epochs and recipes that cost nothing."""

from explorer.runs.run import Facts
from explorer.training.metrics import TESTED, Epoch, Progress
from explorer.training.recipe import Recipe

TINY = Recipe(
    network="p4-knight", minimum_width=True, size_px=9, train_pictures=64, test_pictures=20, epochs=2, batch_size=16
)
PROGRESS = Progress(step=3, steps=8, epoch=0, loss=2.5, pictures_per_s=100.0)
FACTS = Facts("ab" * 32, ("0", "1"), 64, 20, ("One picture was skipped.",), "Python 3, torch 2")


def an_epoch(number: int, *, loss: float = 1.5) -> Epoch:
    """Made-up figures."""
    return Epoch(
        epoch=number,
        step=4 * number,
        train_loss=loss if number else None,
        train_accuracy=0.5 if number else None,
        test_loss=1.25,
        accuracy=dict.fromkeys(TESTED, 0.25) | {"identity": 0.75},
        angles=None,
        agreement=0.5,
        errors={"conv": 1e-7, "logits": 2e-7},
        pictures_per_s=100.0,
        elapsed_s=2.0,
    )
