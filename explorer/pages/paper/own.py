"""What we found beyond the paper's claims: a list to which a finding is added with its title and what draws it."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from explorer.pages.paper.evidence import Evidence, has_runs
from explorer.pages.paper.fingerprint import draw_fingerprint, has_filters
from explorer.pages.paper.parts import command_of, links, table, text, training_of
from explorer.pages.paper.prediction import COMMAND as SAMPLE_COMMAND
from explorer.pages.paper.prediction import draw_prediction, has_sample
from explorer.pages.paper.tables import heads_table, tunings_table
from explorer.pages.session.addresses import ONE
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.reproduction import beyond as said
from explorer.reproduction.claims import NOT_RUN
from explorer.reproduction.figures import accuracy
from explorer.reproduction.figures import beyond as figures
from explorer.reproduction.tables import rows_of

_ON_A_LINE = "The mean over 90°, 180° and 270°; dots are seeds."


@dataclass(frozen=True)
class OwnFinding:
    """title: short, in the list and in links. is_there: whether there is anything to draw. command: what runs it."""

    title: str
    draw: Callable[[Evidence], None]
    is_there: Callable[[Evidence], bool]
    command: Callable[[Evidence], str]


def _mending(found: Evidence) -> None:
    results = found.mnist
    assert results is not None  # as `is_there` says
    text(
        "Symmetric subsampling averages over 2×2 pixels just before a layer that would leave one over: every size is "
        "exact, and no weight changes. What it gives, and what it costs, is compared with the control: the same "
        "weights, fine-tuned for the same steps as they were. Related: "
        "[equivariant subsampling](https://arxiv.org/abs/2106.05886), [ACE](https://arxiv.org/abs/2505.13631), "
        "[RECM](https://arxiv.org/abs/2602.02853), [tunable soft equivariance](https://arxiv.org/abs/2603.26657), "
        "[subsampling of the group](https://arxiv.org/abs/2504.17258), [PreCM](https://arxiv.org/abs/2411.01624)."
    )
    tuned = said.tunings(results)
    if tuned:
        for column, (measure, title) in zip(
            st.columns(2), (("unseen", "Unseen quarter turns"), ("identity", "Upright")), strict=True
        ):
            with column:
                st.markdown(f"**{title}**")
                words = f"Accuracy, {title.lower()}, as trained, mended at once and after steps of fine-tuning."
                draw_chart(chart_of(figures.tuning(results, measure), words), key=f"paper-mending-{measure}")
    sentences = [each(results) for each in (said.what_mending_shows, said.what_tuning_shows, said.what_blur_shows)]
    text("\n".join(f"- {each}" for each in sentences if each not in ("", NOT_RUN)))
    if tuned:
        with st.expander("All steps, against the weights they start from", icon=":material/table:"):
            st.html(tunings_table(tuned))
    links(
        ("look", "Look: trained, mended, 29 px", {"weights": "shipped:p4-cnn-29-mended"}),
        ("mends", "Mends of the same network, compared", {"family": "cnn", "size": "29"}),
    )


def _heads(found: Evidence) -> None:
    results = found.mnist
    assert results is not None
    text(
        "Before the classifier the network pools over space and over the group. For an exact network the order makes "
        "no difference to its symmetry; an approximate one is another function with each. The authors take the mean "
        "over space first, then the maximum over the group. Which head unlearns how much of the symmetry, at 29 px? "
        "Without pooling, no element of the group acts on the logits, and they have no such error."
    )
    sentence = said.what_heads_show(results)
    titles = ((said.LAST_MAPS, "Error of the last feature maps"), ("logits", "Error of the logits"))
    for column, (layer, title) in zip(st.columns(2), titles, strict=True):
        with column:
            st.markdown(f"**{title}**")
            draw_chart(
                chart_of(figures.head_errors(results, layer), f"{title} by epoch. {sentence}"),
                key=f"paper-heads-{'logits' if layer == 'logits' else 'maps'}",
            )
    text(sentence)
    with st.expander("Accuracy, agreement and errors at 28 and 29 px", icon=":material/table:"):
        st.html(heads_table(said.heads(results)))


def _parity(found: Evidence) -> None:
    results = found.mnist
    assert results is not None
    text(
        "The paper makes 27 and 29 px by *resizing*, which also resamples the digits. To tell the two apart we also "
        "**pad** them, which resamples nothing, and resize to an even side. If the odd side is what matters, only odd "
        "sides fall behind."
    )
    studies = [found.studies[name] for name in ("upright", "parity")]
    rows = [row for row in rows_of(results, studies) if row.seeds and "plain" not in row.case.key]
    sentence = said.what_parity_shows(results)
    st.markdown("**Unseen quarter turns, trained upright**", help=_ON_A_LINE)
    draw_chart(chart_of(accuracy.rows_on_a_line(rows, "unseen"), sentence), key="paper-parity")
    text(sentence)
    table(results, studies[1], title="All figures")


def _photographs(found: Evidence) -> None:
    results = found.cifar10
    assert results is not None
    text(
        "CIFAR-10: ResNets without symmetry, with C4 (p4) and with D4 (p4m), at 32 px, where p4 and p4m are "
        "approximate, and resized to 33 px, where they are exact. The authors' figures for these are not in their "
        "public logs, so ours stand alone."
    )
    shown = [study for study in found.photographs if has_runs(results, study)]
    for study in shown:
        sentence = said.what_photographs_show(results, study)
        st.markdown(f"**{study.title}, unseen quarter turns**", help=_ON_A_LINE)
        rows = [row for row in rows_of(results, [study]) if row.seeds]
        draw_chart(chart_of(accuracy.rows_on_a_line(rows, "unseen"), sentence), key=f"paper-{study.name}")
        text(sentence)
        table(results, study, title="All figures")
    recipe = shown[0].cases[0].recipe
    if results.budget != "full":
        text(
            f"These are networks that have only begun to learn: {recipe.epochs} epochs, and 200 in the authors' recipe."
        )
    network = {"group": "C4", "family": shown[0].name, "size": f"{recipe.size_px}"}
    links(("train", "Train one", {"train": ONE, **network, **training_of(recipe)}))


def _has(*names: str) -> Callable[[Evidence], bool]:
    return lambda found: any(has_runs(found.mnist, found.studies[name]) for name in names)


def _digits(*names: str) -> Callable[[Evidence], str]:
    return lambda found: command_of("mnist", found.budget, names)


FINDINGS: tuple[OwnFinding, ...] = (
    OwnFinding("Mending", _mending, _has("mended", "tuned"), _digits("upright", "mended", "tuned")),
    OwnFinding("Order of pooling", _heads, _has("heads"), _digits("upright", "heads")),
    OwnFinding("Resampling or parity", _parity, _has("parity"), _digits("upright", "parity")),
    OwnFinding(
        "Photographs",
        _photographs,
        lambda found: any(has_runs(found.cifar10, study) for study in found.photographs),
        lambda found: command_of("cifar10", "quick", ["resnet44/p4-32", "resnet44/p4-33"], seeds=3),
    ),
    OwnFinding(
        "Lopsided filters",
        lambda found: draw_fingerprint(found.mnist),
        lambda found: has_filters(found.mnist),
        _digits("upright", "mended"),
    ),
    OwnFinding("What predicts the loss", lambda _: draw_prediction(), lambda _: has_sample(), lambda _: SAMPLE_COMMAND),
)
