"""Parts of the Paper page: texts, charts beside each other, tables, and the foot with links and the command."""

from pathlib import Path

import streamlit as st

from explorer.pages.look_sheet import draw_chart
from explorer.pages.paper_evidence import chart_of, made_how
from explorer.pages.paper_tables import figures_table
from explorer.reproduction import figures
from explorer.reproduction.claims import NOT_SEEN, OPEN, SEEN, Finding
from explorer.reproduction.results import Results
from explorer.reproduction.statistics import MEASURES
from explorer.reproduction.studies import Study
from explorer.reproduction.tables import rows_of
from explorer.training.metrics import TURNS

Link = tuple[str, str, dict[str, str]]  # page, label, parameters

_PAGES = Path(__file__).parent
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


def not_run(command: str) -> None:
    """Nothing to show: what to run."""
    with st.container(width=_READABLE_PX):
        st.info("Not run yet. This command does it, and this page shows what it writes:", icon=":material/terminal:")
        st.code(command, language="bash", wrap_lines=True)


def comparison(results: Results, study: Study, key: str, words: str, *, measures: tuple[str, ...] = TURNS) -> None:
    """Dots at the turns, accuracy on a circle beside them, and the table below."""
    rotation = study.cases[0].recipe.rotations
    mean_deg, sd_deg = (rotation.mean_deg, rotation.sd_deg) if rotation.kind == "normal" else (None, 0.0)
    left, right = st.columns([3, 2])
    with left:
        titles = ", ".join(MEASURES[name] for name in measures)
        chart = figures.turns(results, study, measures=measures)
        draw_chart(chart_of(chart, f"Accuracy of four networks ({titles}). {words}"), key=f"{key}-turns")
    with right:
        circle = figures.by_angle(results, study, mean_deg=mean_deg, sd_deg=sd_deg)
        draw_chart(chart_of(circle, f"Accuracy of four networks at 36 angles. {words}"), key=f"{key}-circle")


def table(results: Results, study: Study) -> None:
    """Ours, the authors' and the difference."""
    caption = f"{study.title}: accuracy (%), mean ± standard deviation over seeds"
    st.html(figures_table(list(rows_of(results, [study])), caption))


def foot(command: str, made: str, *links: Link) -> None:
    """Links that open the same set-up elsewhere, how to run it again, and where the runs come from."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, label, parameters in links:
            st.page_link(
                _PAGES / f"{name}.py",
                label=label,
                icon=f":material/{_ICONS[name]}:",
                query_params=parameters,
                help="Opens this set-up on its page.",
                width="content",
            )
        with st.popover("Run it again", icon=":material/terminal:", help="The command that made these figures."):
            st.code(command, language="bash", wrap_lines=True)
            st.caption("What is finished is not run again. The page shows the file that the command writes.")
    st.caption(made)


def foot_of_digits(results: Results, study: Study, only: str, *links: Link, seeds: int = 3) -> None:
    """`foot` for runs on digits."""
    foot(mnist_command(results, only, seeds=seeds), made_how(results, study), *links)


def mnist_command(results: Results | None, only: str, *, seeds: int = 3) -> str:
    """What runs these studies in the budget that is shown."""
    budget = "full" if results is None else results.budget
    return f"python -m explorer reproduce mnist --budget {budget} --seeds {seeds} --only {only} --wait"
