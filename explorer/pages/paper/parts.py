"""Parts of the Paper page: texts, charts beside each other, tables, and the foot with links and the command."""

from collections.abc import Sequence

import streamlit as st

from explorer.pages.paper.evidence import made_how
from explorer.pages.paper.tables import figures_table
from explorer.pages.session.addresses import address_of
from explorer.pages.widgets.charts import chart_of, draw_chart
from explorer.reproduction import figures
from explorer.reproduction.claims import NOT_SEEN, OPEN, SEEN, Finding
from explorer.reproduction.results import Results
from explorer.reproduction.studies import Study
from explorer.reproduction.tables import rows_of
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
        chart = chart_of(figures.turns(results, study), f"Accuracy of four networks at the quarter turns. {words}")
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
            chart = figures.rows_on_a_line(rows, measure, is_close=True)
            draw_chart(chart_of(chart, f"Accuracy of four networks: {title}. {words}"), key=f"{key}-{measure}")
    with right:
        _circle(results, study, key, words)


def _circle(results: Results, study: Study, key: str, words: str) -> None:
    rotation = study.cases[0].recipe.rotations
    mean_deg, sd_deg = (rotation.mean_deg, rotation.sd_deg) if rotation.kind == "normal" else (None, 0.0)
    circle = figures.by_angle(results, study, mean_deg=mean_deg, sd_deg=sd_deg)
    draw_chart(chart_of(circle, f"Accuracy of four networks at 36 angles. {words}"), key=f"{key}-circle")


def table(results: Results, study: Study) -> None:
    """Ours, the authors' and the difference."""
    rows = list(rows_of(results, [study]))
    st.html(figures_table(rows, f"{study.title}: accuracy (%), mean ± standard deviation over seeds"))
    if any(row.has_authors for row in rows):
        st.caption("Difference: ours minus the authors', in percentage points. [Why they differ](#differences)")


def foot(command: str, made: str, *links: Link) -> None:
    """Links that open the same set-up elsewhere, how to run it again, and where the runs come from."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, label, parameters in links:
            st.page_link(
                address_of(name),
                label=label,
                icon=f":material/{_ICONS[name]}:",
                query_params=parameters,
                help="Opens this set-up on its page.",
                width="content",
            )
        with st.popover("Run it again", icon=":material/terminal:", help="The command that gave these figures."):
            st.code(command, language="bash", wrap_lines=True)
            st.caption("Finished runs are not repeated. The page shows the file that the command writes.")
    st.caption(made)


def foot_of_digits(results: Results, studies: Sequence[Study], *links: Link, seeds: int = 3) -> None:
    """`foot` for runs on digits."""
    only = ",".join(study.name for study in studies)
    foot(mnist_command(results, only, seeds=seeds), made_how(results, *studies), *links)


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


def mnist_command(results: Results | None, only: str, *, seeds: int = 3) -> str:
    """What runs these studies in the budget that is shown; in the quick one if none is."""
    budget = "quick" if results is None else results.budget
    return f"python -m explorer reproduce mnist --budget {budget} --seeds {seeds} --only {only} --wait"
