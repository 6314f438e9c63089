"""Parts of the Paper page: texts, charts beside each other, tables that are folded, and links to other pages."""

from collections.abc import Sequence

import streamlit as st

from explorer.pages.paper.tables import figures_table
from explorer.pages.session.addresses import address_of
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.reproduction.claims import NOT_SEEN, OPEN, SEEN, Finding
from explorer.reproduction.figures import accuracy
from explorer.reproduction.results import Results
from explorer.reproduction.studies import Study
from explorer.reproduction.tables import rows_of
from explorer.reproduction.words import listed
from explorer.training.recipe import Recipe

Link = tuple[str, str, dict[str, str]]  # page, label, parameters

_READABLE_PX = 760
_SIGNS = {SEEN: ":green[●] **Seen.**", OPEN: ":gray[◌] **Open.**", NOT_SEEN: ":red[✕] **Not seen.**"}
_ICONS = {
    "look": "visibility",
    "sizes": "show_chart",
    "mends": "healing",
    "break_it": "bolt",
    "train": "model_training",
}


def sign_of(finding: Finding) -> str:
    """A sign in colour and a word."""
    return _SIGNS[finding.state]


def text(markdown: str) -> None:
    """A paragraph that is not wider than one can read."""
    with st.container(width=_READABLE_PX):
        st.markdown(markdown)


def not_run(command: str, *, lasting: str) -> None:
    """Nothing to show: what to run, and how long it takes."""
    with st.container(width=_READABLE_PX):
        st.info(
            f"Not run yet. This command does it in {lasting}, and this page shows what it writes:",
            icon=":material/terminal:",
        )
        st.code(command, language="bash", wrap_lines=True)


def turns_and_circle(results: Results, study: Study, key: str, words: str) -> None:
    """Accuracy at the quarter turns, and at 36 angles on a circle beside it."""
    left, right = st.columns([3, 2])
    with left:
        chart = chart_of(accuracy.turns(results, study), f"Accuracy of four networks at the quarter turns. {words}")
        draw_chart(chart, key=f"{key}-turns")
    with right:
        _circle(results, study, key, words)


def lines_and_circle(results: Results, study: Study, key: str, words: str) -> None:
    """Accuracy at 40° and over all angles, each on an axis that shows small differences, and the circle beside it."""
    rows = list(rows_of(results, [study]))
    left, right = st.columns([3, 2])
    with left:
        for measure, title in (("angle40", "At 40°"), ("angles", "Over all 36 angles")):
            st.markdown(f"**{title}**")
            chart = accuracy.rows_on_a_line(rows, measure, is_close=True)
            draw_chart(chart_of(chart, f"Accuracy of four networks: {title}. {words}"), key=f"{key}-{measure}")
    with right:
        _circle(results, study, key, words)


def _circle(results: Results, study: Study, key: str, words: str) -> None:
    rotation = study.cases[0].recipe.rotations
    mean_deg, sd_deg = (rotation.mean_deg, rotation.sd_deg) if rotation.kind == "normal" else (None, 0.0)
    circle = accuracy.by_angle(results, study, mean_deg=mean_deg, sd_deg=sd_deg)
    draw_chart(chart_of(circle, f"Accuracy of four networks at 36 angles. {words}"), key=f"{key}-circle")


def table(results: Results, *studies: Study, title: str = "") -> None:
    """Ours, the authors' and the difference, folded; what was not run is one line."""
    rows = list(rows_of(results, studies))
    run = [row for row in rows if row.seeds]
    with st.expander(title or "All figures, beside the authors'", icon=":material/table:"):
        st.html(figures_table(run, f"{studies[0].title}: accuracy (%), mean ± standard deviation over seeds"))
        if any(row.has_authors for row in run):
            st.caption(
                "Difference: ours minus the authors', in percentage points. * its 95 % interval (Welch) leaves out "
                "zero: more than chance."
            )
        if left := [row.title for row in rows if not row.seeds]:
            st.caption(f"Not run: {listed(left)}.")


def links(*given: Link) -> None:
    """Links that open the same set-up elsewhere."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, label, parameters in given:
            st.page_link(
                address_of(name),
                label=label,
                icon=f":material/{_ICONS[name]}:",
                query_params=parameters,
                help="Opens this set-up on its page.",
                width="content",
            )


def training_of(recipe: Recipe) -> dict[str, str]:
    """The controls of the Train page that a recipe is trained with, all but its network."""
    rotation = recipe.rotations
    normal = {"mean": f"{rotation.mean_deg:g}", "sd": f"{rotation.sd_deg:g}"} if rotation.kind == "normal" else {}
    fields = {
        "data": recipe.data,
        "pictures": recipe.train_pictures,
        "tested": recipe.test_pictures,
        "turned": rotation.kind,
        **normal,
        "epochs": recipe.epochs,
        "batch": recipe.batch_size,
        "peak": recipe.learning_rate,
        "decay": recipe.weight_decay,
        "schedule": recipe.schedule,
        "augmentation": recipe.augmentation,
        "precision": recipe.precision,
        "angles": recipe.angles_every,
    }
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in fields.items()}


def command_of(experiment: str, budget: str, only: Sequence[str], *, seeds: int = 5) -> str:
    """What runs these studies of digits or photographs."""
    return f"python -m explorer reproduce {experiment} --budget {budget} --seeds {seeds} --only {','.join(only)} --wait"
