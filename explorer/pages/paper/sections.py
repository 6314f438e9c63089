"""The paper's four claims, one at a time: what is claimed, the chart, what our runs say of it, and where to see it."""

from collections.abc import Callable

import streamlit as st

from explorer.pages.paper.evidence import Evidence, has_runs
from explorer.pages.paper.parts import (
    command_of,
    lines_and_circle,
    links,
    not_run,
    sign_of,
    table,
    text,
    training_of,
    turns_and_circle,
)
from explorer.pages.paper.tables import sides_table
from explorer.pages.session.addresses import COMPARE
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.pages.widgets.controls import linked
from explorer.reproduction import beyond, claims
from explorer.reproduction.claims import Finding
from explorer.reproduction.figures import breaking
from explorer.reproduction.studies import ROTATIONS

KNIGHT = "python -m explorer reproduce knight --seeds 10"
SIDES = "python -m explorer reproduce sizes"
# The claims: what they are called in links, the title, and what each says in one sentence.
CLAIMS = {
    "breaking": (
        "Learning",
        "Networks learn to break their symmetry",
        "A layer that leaves a pixel over learns to exploit it.",
    ),
    "one-pixel": (
        "One pixel",
        "One pixel decides",
        "One pixel of input size makes an exact network approximate.",
    ),
    "unseen": (
        "Unseen turns",
        "Approximate networks fail on symmetries they have not seen",
        "What the exact network has by construction, the approximate one has to learn.",
    ),
    "mismatched": (
        "Mismatched data",
        "Where data and network differ in symmetry, breaking it pays",
        "Approximate networks are ahead at the angles of their training, and behind elsewhere.",
    ),
}
_THREE = {"train": COMPARE, "compared": "cnn"}


def draw(name: str, found: Evidence, finding: Finding) -> None:
    """One of CLAIMS, with its heading."""
    number = list(CLAIMS).index(name) + 1
    st.header(f"{number}. {CLAIMS[name][1]}", anchor=name)
    _DRAWN[name](found, finding)


def _breaking(found: Evidence, finding: Finding) -> None:
    text(
        "A C4 network of one convolution, 14 numbers in all, has to tell the picture of a chess knight from its "
        "quarter turn. An exactly equivariant network cannot: it gives both pictures the same answer, whatever its "
        "weights, and its loss stays at ln 2, that of a guess. At 32 px the stride of 2 leaves a pixel over, and "
        "training finds weights that use it. At 33 px nothing is left over."
    )
    if found.knight is None:
        not_run(KNIGHT, lasting="half a minute")
        return
    losses = breaking.knight_losses(found.knight)
    draw_chart(chart_of(losses, f"Loss against step. {finding.sentence}"), key="paper-knight")
    text(
        f"{sign_of(finding)} {finding.sentence} The authors: {finding.authors}, with another optimizer and another "
        "picture of a knight."
    )
    links(
        ("break_it", "Break it, live at 32 and 33 px", {"subject": "knight", "learner": "p4-knight", "size": "32"}),
        ("look", "See the pixel that is left over", {"family": "knight", "size": "32", "picture": "knight"}),
    )


def _one_pixel(found: Evidence, finding: Finding) -> None:
    text(
        "A layer with kernel *k* and stride *s* keeps quarter turns and mirrors if *side + padding on both sides − k* "
        "is a multiple of *s*: for the knight at 32 px, 32 + 2 − 3 = 31 is no multiple of 2, at 33 px 32 is. Five "
        "networks with C4 symmetry and random weights are measured here at one size after another. The condition was "
        "noted before, by [Mohamed et al. (2020)](https://arxiv.org/abs/2004.09691) and in "
        "[Mind the Pad (2021)](https://arxiv.org/abs/2010.02178)."
    )
    if found.sides is None:
        not_run(SIDES, lasting="some minutes")
        return
    names = [network.network for network in found.sides.networks]
    name = st.segmented_control(
        "Network",
        names,
        default="p4-resnet18",
        required=True,
        key="paper-network",
        help="With C4 symmetry: the paper's small network for digits and four ResNets.",
    )
    network = found.sides.networks[names.index(str(name))]
    words = f"Error of {name} against the side. {finding.sentence}"
    draw_chart(chart_of(breaking.error_by_side(network), words), key="paper-sides")
    text(f"{sign_of(finding)} {finding.sentence} The authors' logs have no such errors; {finding.authors}, as here.")
    with st.expander("All five networks", icon=":material/table:"):
        st.html(sides_table(found.sides))
    shared = {"family": network.network.removeprefix("p4-"), "group": "C4"}
    exact_px, first, last = network.exact_px_near(32), network.sides[0], network.sides[-1]
    links(
        ("look", f"{name} at {exact_px} px: exact", {**shared, "size": str(exact_px)}),
        ("look", f"{name} at {exact_px - 1} px: not", {**shared, "size": str(exact_px - 1)}),
        ("sizes", "Other sizes and networks", {**shared, "from": f"{first.size_px}", "to": f"{last.size_px}"}),
    )


def _unseen(found: Evidence, finding: Finding) -> None:
    text(
        "Four small networks learn upright digits and are tested on turned ones. The exact network (28 px) gives the "
        "same answers at every quarter turn, without ever having seen one. At 27 or 29 px the same network is only "
        "approximately equivariant; training uses the slack, and much of that is lost. A plain network has no symmetry "
        "to lose."
    )
    study, results = found.studies["upright"], found.mnist
    if results is None or not has_runs(results, study):
        not_run(command_of("mnist", found.budget, ["upright"]), lasting="two hours on two cores")
        return
    turns_and_circle(results, study, "paper-unseen", finding.sentence)
    text(f"{sign_of(finding)} {finding.sentence} The authors: {finding.authors}.")
    text(beyond.what_order_shows(results, study))
    table(results, study)
    links(
        ("look", "Look: trained, exact, 28 px", {"weights": "shipped:p4-cnn-28"}),
        ("look", "Look: trained, approximate, 29 px", {"weights": "shipped:p4-cnn-29"}),
        ("train", "Train these networks", _THREE | training_of(study.cases[0].recipe)),
    )


def _mismatched(found: Evidence, finding: Finding) -> None:
    text(
        "Now training shows *turned* digits, at angles around 45°. C4 is not the symmetry of such data: the exact "
        "network must treat 45° and 135° alike; an approximate one may give that up where it pays. The grey sector "
        "shows the angles of training, two standard deviations to each side."
    )
    results = found.mnist
    there = [name for name in ROTATIONS if has_runs(results, found.studies[name])]
    if results is None or not there:
        not_run(command_of("mnist", found.budget, ["turned-20"], seeds=6), lasting="two hours on two cores")
        return
    name = there[0]
    if len(there) > 1:
        titles = {ROTATIONS[each][1].removeprefix("Trained at "): each for each in there}
        title = st.segmented_control(
            "Training digits",
            list(titles),
            default=next(iter(titles)),
            required=True,
            help="How the training digits are turned: normally distributed around 45°, or by any angle.",
            **linked("turned_by"),
        )
        name = titles.get(str(title), name)
    study = found.studies[name]
    if name == "uniform":
        said = beyond.what_uniform_shows(results)
    elif name == "turned-20":
        said = f"{sign_of(finding)} {finding.sentence}"
    else:  # beside the claim, and no part of its p-value
        finding = claims.relaxes_its_constraint(results, name)
        said = finding.sentence
    if finding.authors and name != "uniform":
        said += f" The authors: {finding.authors}."
    lines_and_circle(results, study, "paper-mismatched", said)
    text(said)
    if name == "turned-20":
        text(f"{beyond.what_upright_shows(results)} {_photographs(found)}".strip())
    table(results, study)
    links(("train", "Train with these turns", _THREE | training_of(study.cases[0].recipe)))


def _photographs(found: Evidence) -> str:
    if any(has_runs(found.cifar10, study) for study in found.photographs):
        return "This is about turned digits; photographs are among our own findings below."
    return "This is about turned digits. Photographs, for which the paper claims the same, were not run here."


_DRAWN: dict[str, Callable[[Evidence, Finding], None]] = {
    "breaking": _breaking,
    "one-pixel": _one_pixel,
    "unseen": _unseen,
    "mismatched": _mismatched,
}
