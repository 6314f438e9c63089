"""The paper's claims, each with our own runs beside the authors' figures. All from files: no torch, nothing trained."""

import streamlit as st

from explorer.pages.paper.evidence import (
    QUICK,
    Evidence,
    budgets_there,
    evidence,
    findings,
    has_runs,
    made_how,
    provenance,
)
from explorer.pages.paper.parts import (
    foot,
    foot_of_digits,
    lines_and_circle,
    mnist_command,
    not_run,
    sign_of,
    table,
    text,
    training_of,
    turns_and_circle,
)
from explorer.pages.paper.tables import figures_table, sides_table
from explorer.pages.session.addresses import COMPARE, ONE
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.reproduction import claims, figures
from explorer.reproduction.claims import Finding
from explorer.reproduction.studies import ROTATIONS
from explorer.reproduction.tables import rows_of

_WIDE_PX = 1080
# The claims as the page heads them, each with what it says in one sentence.
_CLAIMS = {
    "breaking": ("Networks learn to break their symmetry", "A layer that leaves a pixel over learns to exploit it."),
    "one-pixel": ("One pixel decides", "One pixel of input size makes an exact network approximate."),
    "unseen": (
        "Approximate networks fail on symmetries they have not seen",
        "What the exact network has by construction, the approximate one has to learn.",
    ),
    "mismatched": (
        "Where data and network differ in symmetry, breaking the symmetry pays",
        "Approximate networks are ahead at the angles of their training, and behind elsewhere.",
    ),
}
_KNIGHT = "python -m explorer reproduce knight --seeds 10"
_SIDES = "python -m explorer reproduce sizes"
_PHOTOGRAPHS = "python -m explorer reproduce cifar10 --budget full --wait"
_GAP = "python -m benchmarks.gap"
_FEW_PHOTOGRAPHS = "python -m explorer reproduce cifar10 --only resnet44/p4-32,resnet44/p4-33 --wait"
# Of the quick budget.
_LASTING = {
    "upright": "about an hour on two cores",
    "turned": "about half an hour on two cores",
    "beyond": "about an hour on two cores",
}
_THREE = {"train": COMPARE, "compared": "cnn"}
_ON_A_LINE = "The mean over 90°, 180° and 270°; dots are seeds."
_WORDS = (
    "**Equivariant**: turning the picture turns the feature maps, and changes nothing else. **Exact**: equivariant up "
    "to rounding, whatever the weights. **Approximate**: only nearly equivariant, with an error that training can "
    "make larger. **C4**: the four quarter turns. **Mended**: with centred subsampling, so that every size is exact."
)
_REASONS = (
    "**The network.** Its file is not public. That the first six convolutions are padded is our inference from the "
    "logged number of parameters and from 27 px. It matters a lot (see below).",
    "**Zero padding.** They subtract the mean grey from their digits, which turns the zeros around them into a grey "
    "frame; ours are padded with the digits' own black.",
    "**Budget.** Quick runs train for 12 epochs on 10,000 of MNIST's training digits, 64 at a time, in bfloat16 where "
    "the processor has units for it, without weight decay, and are tested on 2,000; the authors for 50 epochs on 8,000 "
    "digits, 256 at a time, with a decay of 1e-5, tested on 60,000. These are about as many steps (1,884 and 1,600), "
    "but each digit is seen a quarter as often.",
    "**Fewer runs.** The authors trained each network 100 times (10 times for digits around 45°); we trained each "
    "three or five times.",
    "**The split.** Their logs name 10,000 digits to train and validate on and 60,000 to test on: probably MNIST's two "
    "files, exchanged. Our full runs take the first 8,000 of the smaller file.",
    "**Dropout.** Their network drops features after four of its layers, at a rate that is not in the logs. Ours does "
    "not.",
    "**Corners.** They turn digits after normalising them, so the corners that come in from outside are grey and not "
    "black; this matters at angles other than quarter turns.",
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
        _overview(states)
        _breaking(found, states["breaking"])
        _one_pixel(found, states["one-pixel"])
        _unseen(found, states["unseen"])
        _mismatched(found, states["mismatched"])
        _beyond(found)
        _photographs(found)
        _differences(found)


def _opening() -> str:
    """What this page is; the budget that is shown."""
    text(
        "[*Using and Abusing Equivariance*](https://arxiv.org/abs/2308.11316) (Edixhoven, Lengyel, van Gemert, 2023) "
        "makes four claims about networks that are built to be equivariant. Here is each claim with our own runs "
        "beside the authors' figures, which are recomputed from their "
        "[public logs](https://github.com/TFedixhoven/using_equivariance)."
    )
    text(_WORDS)
    there = budgets_there()
    if there == [QUICK]:
        st.caption(
            "Digits: the quick budget, 12 epochs on the digits that come with the app. The authors' split with their "
            "50 epochs was not run here; it needs a GPU: `python -m explorer reproduce mnist --budget full --wait`"
        )
    if len(there) == 1:
        return there[0]
    budget = st.segmented_control(
        "Runs on digits",
        there,
        default=there[0],
        required=True,
        key="paper-budget",
        help="Full: the authors' split of MNIST and their 50 epochs. Quick: 12,000 digits and 12 epochs.",
    )
    return str(budget)


def _overview(states: dict[str, Finding]) -> None:
    """The four claims, each with its sign, a link down, what it says and what we found."""
    with st.container(border=True):
        for number, (name, (title, meaning)) in enumerate(_CLAIMS.items(), start=1):
            found = states[name]
            st.markdown(f"{sign_of(found)} [{number}. {title}](#{name})  \n{meaning} {found.short}")
        st.caption(
            "Percentages are shares of test digits answered correctly. In brackets below: the 95 % bootstrap "
            "interval over seeds (trainings that differ by chance alone). A claim about accuracy counts as seen if "
            "all its intervals lie on the claimed side of zero. With three seeds such an interval contains the true "
            "value in about eight cases of ten, with five in nine, and it does not include the uncertainty from the "
            "choice of test digits."
        )


def _head(name: str) -> None:
    st.header(f"{list(_CLAIMS).index(name) + 1}. {_CLAIMS[name][0]}", anchor=name)


# ----------------------------------------------------------------------------------------------------------- the claims


def _breaking(found: Evidence, finding: Finding) -> None:
    _head("breaking")
    text(
        "A C4 network of one convolution, 14 numbers in all, has to tell the picture of a chess knight from its "
        "quarter turn. It averages over places and turns, so an exactly equivariant network cannot: both pictures get "
        "the same answer, whatever the weights, and the loss stays at ln 2, that of a guess. At 32 px the stride of 2 "
        "leaves a pixel over, and training finds weights that use it. At 33 px nothing is left over."
    )
    if found.knight is None:
        not_run(_KNIGHT, lasting="half a minute")
        return
    losses = figures.knight_losses(found.knight)
    draw_chart(chart_of(losses, f"Loss against step. {finding.sentence}"), key="paper-knight")
    text(
        f"{sign_of(finding)} {finding.sentence} The authors' losses fall to 0.092 after 400 steps, with another "
        "optimizer and another picture of a knight."
    )
    foot(
        _KNIGHT,
        f"{provenance(found.knight.sessions)}.",
        ("break_it", "Break it, live at 32 and 33 px", {"subject": "knight", "learner": "p4-knight", "size": "32"}),
        ("look", "See the pixel that is left over", {"family": "knight", "size": "32", "picture": "knight"}),
    )


def _one_pixel(found: Evidence, finding: Finding) -> None:
    _head("one-pixel")
    text(
        "A layer with kernel *k* and stride *s* keeps quarter turns and mirrors if *side + padding on both sides − k* "
        "is a multiple of *s*: for the knight at 32 px, 32 + 2 − 3 = 31 is not a multiple of 2, and at 33 px it is "
        "32, which is. Common networks at their common sizes miss it by one pixel. Here five of them, with C4 "
        "symmetry and random weights, "
        "are measured at one size after another. The authors' logs do not contain such errors; the paper goes from 32 "
        "to 33 px and from 224 to 225 px to be exact, which agrees with the table."
    )
    if found.sides is None:
        not_run(_SIDES, lasting="some minutes")
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
    draw_chart(chart_of(figures.error_by_side(network), words), key="paper-sides")
    text(f"{sign_of(finding)} {finding.sentence}")
    st.html(sides_table(found.sides))
    shared = {"family": network.network.removeprefix("p4-"), "group": "C4"}
    exact_px, first, last = network.exact_px_near(32), network.sides[0], network.sides[-1]
    foot(
        _SIDES,
        f"Random weights, float32. {provenance(found.sides.sessions)}.",
        ("look", f"{name} at {exact_px} px: exact", {**shared, "size": str(exact_px)}),
        ("look", f"{name} at {exact_px - 1} px: not", {**shared, "size": str(exact_px - 1)}),
        ("sizes", "Other sizes and networks", {**shared, "from": f"{first.size_px}", "to": f"{last.size_px}"}),
    )


def _unseen(found: Evidence, finding: Finding) -> None:
    _head("unseen")
    text(
        "Four small networks learn upright digits and are tested on turned ones. The exact network (28 px) gives the "
        "same answers at every quarter turn, without ever having seen one. At one pixel more or less, 27 or 29 px, "
        "the same network is only approximately equivariant; training uses the slack, and much of that is lost. A "
        "plain network has no symmetry to lose."
    )
    study, results = found.studies["upright"], found.mnist
    if results is None or not has_runs(results, study):
        not_run(mnist_command(results, "upright", seeds=5), lasting=_LASTING["upright"])
        return
    turns_and_circle(results, study, "paper-unseen", finding.sentence)
    text(f"{sign_of(finding)} {finding.sentence} {claims.what_order_shows(results, study)}")
    table(results, study)
    foot_of_digits(
        results,
        [study],
        ("look", "Look: trained, exact, 28 px", {"weights": "shipped:p4-cnn-28"}),
        ("look", "Look: trained, approximate, 29 px", {"weights": "shipped:p4-cnn-29"}),
        ("train", "Train these networks", _THREE | training_of(study.cases[0].recipe)),
        seeds=5,
    )


def _mismatched(found: Evidence, finding: Finding) -> None:
    _head("mismatched")
    text(
        "Now training shows turned digits: at angles in a narrow or a wide range around 45°, or at all angles. C4 is "
        "not the symmetry of such data. The exact network must treat 45° and 135° alike; an approximate network may "
        "give that up where it pays. The grey sector shows the angles of training, two standard deviations to each "
        "side."
    )
    name = st.segmented_control(
        "Training digits",
        list(ROTATIONS),
        default="turned-20",
        required=True,
        format_func=lambda name: ROTATIONS[name][1].removeprefix("Trained at "),
        key="paper-rotation",
        help="How the training digits are turned: normally distributed around 45°, or by any angle.",
    )
    study, results = found.studies[str(name)], found.mnist
    if results is None or not has_runs(results, study):
        not_run(mnist_command(results, str(name)), lasting=_LASTING["turned"])
        return
    if name == "uniform":
        said = claims.what_uniform_shows(results)
    else:
        if name != "turned-20":
            finding = claims.relaxes_its_constraint(results, str(name))
        said = f"{sign_of(finding)} {finding.sentence} {claims.what_upright_shows(results)}"
    lines_and_circle(results, study, "paper-mismatched", said)
    text(said)
    table(results, study)
    link = ("train", "Train with these turns", _THREE | training_of(study.cases[0].recipe))
    foot_of_digits(results, [study], link)


# --------------------------------------------------------------------------------------------------------- beyond them


def _beyond(found: Evidence) -> None:
    st.header("Beyond the paper", anchor="beyond")
    text(
        "The paper makes 27 and 29 px by *resizing*, which also resamples the digits. To tell the two apart, we also "
        "**pad** or **cut** them, which resamples nothing (at odd sides the digit then sits half a pixel off the "
        "centre), and resize to an even side. And we **mend** networks at odd sides with symmetric subsampling: from "
        "the start, or after training, followed by fine-tuning on upright digits."
    )
    results = found.mnist
    chosen = [found.studies[name] for name in ("upright", "parity", "mended", "tuned")]
    if results is None or not any(has_runs(results, study) for study in chosen[1:]):
        not_run(mnist_command(results, "parity,mended,tuned"), lasting=_LASTING["beyond"])
        return
    rows = list(rows_of(results, chosen))
    parity, mending = claims.what_parity_shows(results), claims.what_mending_shows(results)
    st.markdown("**Unseen quarter turns, trained upright**", help=_ON_A_LINE)
    draw_chart(chart_of(figures.rows_on_a_line(rows, "unseen"), f"{parity} {mending}"), key="paper-beyond")
    text(f"- **Resampling or parity?** {parity}\n- **Mending.** {mending}")
    with st.expander("All figures of these networks"):
        beyond = [row for row in rows if row.study.name != "upright"]
        st.html(figures_table(beyond, "Accuracy (%), mean ± standard deviation over seeds"))
    foot_of_digits(
        results,
        chosen[1:],
        ("look", "Look: trained, mended, 29 px", {"weights": "shipped:p4-cnn-29-mended"}),
        ("mends", "Mends of the same network, compared", {"family": "cnn", "size": "29"}),
    )


def _photographs(found: Evidence) -> None:
    st.header("Photographs: CIFAR-10", anchor="photographs")
    text(
        "ResNets without symmetry, with C4 (p4) and with D4 (p4m), at 32 px, where p4 and p4m are approximate, and "
        "resized to 33 px, where they are exact. The authors' figures for these are not in their public logs, so ours "
        "stand alone. Their recipe: 200 epochs, Adam with 0.001, OneCycle, batches of 256, flips and "
        "padded crops."
    )
    results = found.cifar10
    shown = [study for study in found.photographs if has_runs(results, study)]
    if results is None or not shown:
        not_run(_FEW_PHOTOGRAPHS, lasting="about half an hour on two cores")
        return
    for study in shown:
        said = claims.what_photographs_show(results, study)
        st.markdown(f"**{study.title}, unseen quarter turns**", help=_ON_A_LINE)
        chart = figures.rows_on_a_line(list(rows_of(results, [study])), "unseen")
        draw_chart(chart_of(chart, said), key=f"paper-{study.name}")
        text(said)
        table(results, study)
    for study in found.photographs:
        if study not in shown:
            text(f"**{study.title}**: not run.")
    if results.budget == QUICK:
        text(
            "This is as far as two cores get: networks that have only begun to learn. The authors' recipe was not run "
            f"here. On a GPU, use: `{_PHOTOGRAPHS}`"
        )
    command = f"python -m explorer reproduce cifar10 --budget {results.budget} --only {shown[0].name} --wait"
    recipe = shown[0].cases[0].recipe
    network = {"group": "C4", "family": shown[0].name, "size": f"{recipe.size_px}"}
    foot(command, made_how(results, *shown), ("train", "Train one", {"train": ONE, **network, **training_of(recipe)}))


def _differences(found: Evidence) -> None:
    st.header("Why ours differ from the authors'", anchor="differences")
    text("\n".join(f"- {reason}" for reason in _REASONS))
    tried = claims.what_was_tried(found.gap, found.mnist)
    if not tried or found.gap is None:
        text(f"The effect of some of these can be measured, one at a time: `{_GAP}`")
        return
    text(
        "Some of these were tried, one at a time, with the approximate network at 29 px: accuracy at unseen turns, "
        "compared with the same network as it is run here.\n" + "\n".join(f"- {each}" for each in tried)
    )
    foot(_GAP, f"{provenance(found.gap.sessions)}.")


page()
