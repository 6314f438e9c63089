"""The paper's claims, each with our own runs beside the authors' figures. All from files: no torch, nothing trained."""

import streamlit as st

from explorer.pages.paper.evidence import FULL, Evidence, budgets_there, evidence, findings, made_how, provenance
from explorer.pages.paper.own import FINDINGS
from explorer.pages.paper.parts import sign_of, text
from explorer.pages.paper.sections import CLAIMS, KNIGHT, SIDES, draw
from explorer.pages.widgets.controls import linked
from explorer.reproduction.claims import Finding
from explorer.reproduction.words import listed

_WIDE_PX = 1080
_SUMMARY_STYLE = """<style>
.st-key-paper-summary [data-testid="stHorizontalBlock"] { row-gap: .15rem; }
.st-key-paper-summary [data-testid="stLayoutWrapper"] + [data-testid="stLayoutWrapper"] {
  border-top: 1px solid rgba(128, 140, 160, .3); padding-top: .8rem; }
</style>"""
_WORDS = (
    "**Equivariant**: turning the picture turns the feature maps, and changes nothing else.  \n"
    "**Exact**: equivariant up to rounding, whatever the weights.  \n"
    "**Approximate**: only nearly so, with an error that training can make larger.  \n"
    "**C4**: the four quarter turns. **Plain**: a network without symmetry.  \n"
    "**Mended**: with centred subsampling, so that every size is exact.  \n"
    "**Unseen turns**: the mean over 90°, 180° and 270°, of networks trained upright."
)
_FIGURES = (
    "Percentages are shares of test digits answered correctly; differences are in percentage points. In brackets: the "
    "95 % interval. Networks are compared in pairs, seed by seed (a seed is one training; its initial weights and the "
    "order of its digits are drawn by chance) and digit by digit, so that the interval holds both what other seeds and "
    "what other test digits would have given. Where the answers to single digits were not kept, as of weights before "
    "fine-tuning, it holds the seeds alone.\n\n"
    "A claim counts as **seen** if all its intervals lie on the claimed side of zero, and if its p-value is below 0.05 "
    "after Holm's correction for the number of claims: the share of all ways to share out the runs between the "
    "networks that would give a difference as large. Three runs against three never reach that."
)
_REASONS = (
    "**Head.** Theirs takes the mean over space, then the maximum over the group. So do ours; with the two exchanged, "
    "approximate networks lose less (see the order of pooling). Padding is the same as theirs.",
    "**Initial weights.** Theirs are uniform, with the group's elements left out of the count of inputs. Ours are "
    "normal, as He et al. have them.",
    "**Budget.** Quick runs train for 12 epochs on 10,000 of MNIST's training digits, 64 at a time, without weight "
    "decay, and are tested on 2,000; the authors for 50 epochs on 8,000 digits, 256 at a time, with a decay of 1e-5, "
    "tested on 60,000. These are about as many steps (1,884 and 1,600), but each digit is seen a quarter as often.",
    "**The split.** Their logs name 10,000 digits to train and validate on and 60,000 to test on: probably MNIST's two "
    "files, exchanged. Our full runs take the first 8,000 of the smaller file.",
    "**Dropout.** Their network drops features after four of its layers, at a rate that is not in the logs. Ours does "
    "not.",
    "**Normalising.** They subtract the mean grey from their digits, so that zeros around them and corners that are "
    "turned in are grey; ours are black.",
    "**Turns in training.** They draw one angle for each batch (around 45°) or one for each digit, once for all epochs "
    "(all angles). We draw one for each digit and each epoch.",
    "**Resizing.** Theirs is bilinear and ours bicubic; this affects only 27 and 29 px.",
)


def page() -> None:
    """The whole page, top to bottom."""
    with st.container(horizontal_alignment="center"), st.container(width=_WIDE_PX):
        st.title("The paper, reproduced", anchor=False)
        found = evidence(_opening())
        for problem in found.problems:
            st.error(problem, icon=":material/error:")
        states = findings(found)
        _summary(states)
        claim = _claim()
        draw(claim, found, states[claim])
        _own(found)
        _end(found)


def _opening() -> str:
    """What this page is; the budget that is shown."""
    text(
        "[*Using and Abusing Equivariance*](https://arxiv.org/abs/2308.11316) (Edixhoven, Lengyel, van Gemert, 2023) "
        "makes four claims about networks that are built to be equivariant. Each was run again here, and stands beside "
        "the authors' figures, which are recomputed from their "
        "[public logs](https://github.com/TFedixhoven/using_equivariance)."
    )
    there = budgets_there()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        budget = there[0]
        if len(there) > 1:
            chosen = st.segmented_control(
                "Runs on digits",
                there,
                default=budget,
                required=True,
                key="paper-budget",
                help="Full: the authors' split of MNIST and their 50 epochs. Quick: 12,000 digits and 12 epochs.",
            )
            budget = str(chosen)
        with st.popover("Words", icon=":material/menu_book:", help="What the words of this page mean."):
            st.markdown(_WORDS)
        with st.popover("How to read the figures", icon=":material/percent:", help="Intervals, p-values, seen or not."):
            st.markdown(_FIGURES)
    return budget


def _summary(states: dict[str, Finding]) -> None:
    """For each claim: whether it is seen, and direction and size, ours beside the authors'."""
    st.html(_SUMMARY_STYLE)
    with st.container(border=True, key="paper-summary"):
        for number, (name, (_, title, meaning)) in enumerate(CLAIMS.items(), start=1):
            found = states[name]
            claim, figures = st.columns([1, 1], gap="medium")
            claim.markdown(f"{sign_of(found)} **{number}. {title}**  \n{meaning}")
            figures.markdown(f":gray[Here]  {_sentence(found.short)}  \n:gray[Authors]  {_sentence(found.authors)}")


def _sentence(words: str) -> str:
    """With a capital and a full stop; no number is parted from its sign."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}.".replace(" %", "\u00a0%") if words else "No figures."


def _claim() -> str:
    """The claim that the visitor reads; it is part of the link."""
    names = {short: name for name, (short, _, _) in CLAIMS.items()}
    chosen = st.segmented_control(
        "Claim",
        list(names),
        default=next(iter(names)),
        required=True,
        help="One claim at a time: what was run, the charts and all figures.",
        **linked("claim"),
    )
    return names.get(str(chosen), next(iter(CLAIMS)))


def _own(found: Evidence) -> None:
    """Our own findings, one at a time; those without runs are one line."""
    st.header("Findings of our own", anchor="own")
    there = {each.title: each for each in FINDINGS if each.is_there(found)}
    if there:
        title = st.segmented_control(
            "Finding",
            list(there),
            default=next(iter(there)),
            required=True,
            help="What our runs show beyond the paper's four claims.",
            **linked("finding"),
        )
        there.get(str(title), next(iter(there.values()))).draw(found)
    left = [each for each in FINDINGS if each.title not in there]
    if left:
        with st.expander(f"Not run yet: {listed([each.title.lower() for each in left])}", icon=":material/terminal:"):
            for each in left:
                st.code(each.command(found), language="bash", wrap_lines=True)


def _end(found: Evidence) -> None:
    """Why figures differ from the authors', and where all of them come from: once, and last."""
    st.header("Behind the figures", anchor="differences")
    with st.expander("Why ours differ from the authors'", icon=":material/compare_arrows:"):
        text("\n".join(f"- {reason}" for reason in _REASONS))
    with st.expander("Where ours come from, and how to run them again", icon=":material/terminal:"):
        if found.mnist is not None:
            st.markdown(f"**Digits**, {found.budget} budget: {made_how(found.mnist)}")
        st.code(_again("mnist", found.budget), language="bash", wrap_lines=True)
        if found.budget != FULL:
            st.caption(f"The authors' split and their 50 epochs need a GPU: `{_again('mnist', FULL)}`")
        if found.cifar10 is not None:
            st.markdown(f"**Photographs**, {found.cifar10.budget} budget: {made_how(found.cifar10)}")
            st.code(_again("cifar10", found.cifar10.budget), language="bash", wrap_lines=True)
        if found.knight is not None:
            st.markdown(f"**The knight**: {provenance(found.knight.sessions)}.")
            st.code(KNIGHT, language="bash", wrap_lines=True)
        if found.sides is not None:
            st.markdown(f"**Errors by size**, random weights, float32: {provenance(found.sides.sessions)}.")
            st.code(SIDES, language="bash", wrap_lines=True)
        st.caption("Finished runs are not repeated. The page shows the files that the commands write.")


def _again(experiment: str, budget: str) -> str:
    return f"python -m explorer reproduce {experiment} --budget {budget} --seeds 5 --wait"


page()
