"""Model cards of the weights that come with the app: data, recipe, accuracy, exact sides; written by `make_shipped`."""

from pathlib import Path

from equivariance.theory.exactness import Structure, predict
from explorer.data.known import KNOWN
from explorer.serving.shipped import Shipped
from explorer.training.command import words_of
from explorer.training.recipe import recipe_of
from explorer.whole_files import write_whole
from models.build import parameters, serve
from models.catalog import HEADS, NetworkSpec

FIRST_PX, LAST_PX = 20, 40  # sides that theory is asked about
_TURNS = {"identity": "upright", "rot90": "90°", "rot180": "180°", "rot270": "270°", "mirror": "mirrored"}


def model_card(entry: Shipped) -> str:
    """The card as Markdown."""
    recipe = recipe_of(entry.recipe)
    network, data, figures = recipe.network_spec(10), KNOWN[recipe.data], entry.figures
    accuracy = ", ".join(f"{figures['accuracy'][turn]:.2%} {title}" for turn, title in _TURNS.items())
    angles = sum(figures["angles"]) / len(figures["angles"])
    head = "mean over space" if network.group == "z2" else HEADS[network.pooling]
    facts = {
        "Network": f"`{network.name}`, {parameters(network):,} parameters; head: {head}",
        "Takes": f"pictures of {recipe.size_px} px, three channels of values 0 to 1, brought to size by {recipe.how}",
        "Subsampling": recipe.subsampling,
        "Trained on": f"`{recipe.data}`: {data.train_pictures:,} {data.words}, upright; credits in assets/CREDITS.md",
        "Recipe": f"`{words_of(recipe)}`",
        "Made by": f"`{entry.command}` on {entry.made.strip()}",
        "Accuracy": f"{accuracy}; {angles:.2%} over 36 angles; {data.test_pictures:,} test digits",
        "One answer at all quarter turns": f"{figures['agreement']:.2%} of the test digits",
        "Error of the logits": f"{figures['errors']['logits']:.1e} under the group's elements, relative, float32",
        f"Exact sides, {FIRST_PX} to {LAST_PX} px": _exact_sides(network),
        "SHA-256": f"`{entry.sha256}`",
    }
    rows = "\n".join(f"| {name} | {fact} |" for name, fact in facts.items())
    return (
        f"# {entry.title}\n\nMade to show what one pixel of size does to equivariance; it reads upright handwritten "
        f"digits and nothing else.\n\n| | |\n|---|---|\n{rows}\n"
    )


def write_model_card(entry: Shipped, folder: Path) -> None:
    """Write the card beside the weights."""
    write_whole(card_path(entry, folder), model_card(entry).encode())


def card_path(entry: Shipped, folder: Path) -> Path:
    """Where the card of these weights lies."""
    return folder / f"{entry.name}.md"


def _exact_sides(network: NetworkSpec) -> str:
    if network.group == "z2":
        return "none: a plain network"
    structure = Structure(serve(network), network.point_group)
    sides = range(FIRST_PX, LAST_PX + 1)
    exact = [side for side in sides if predict(structure, height_px=side, width_px=side).verdict == "exact"]
    return "all" if len(exact) == len(sides) else ", ".join(map(str, exact))
