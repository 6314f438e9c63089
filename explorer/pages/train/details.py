"""The details of a run beside its charts: name, files, configuration, log. Imports no torch."""

from collections.abc import Sequence

import streamlit as st

from explorer.figures.training import report
from explorer.pages.session import owner
from explorer.pages.session.runs_here import store, title_of
from explorer.pages.session.shared import plain
from explorer.pages.train.runs import OPENED, RUN, attempt
from explorer.runs.report import configuration_json, metrics_csv
from explorer.runs.run import Run
from explorer.training.command import words_of
from explorer.training.metrics import Epoch


def draw_details(run: Run, epochs: Sequence[Epoch]) -> None:
    """All of it; controls that change the run are shown to its owner alone."""
    if run.is_mine:
        _name(run)
    _downloads(run, epochs)
    st.caption("This command trains the same in a terminal:")
    st.code(words_of(run.recipe), language="bash", wrap_lines=True)
    st.caption("This address shows the run to others; they cannot change it:")
    st.code(f"{(st.context.url or '').partition('?')[0]}?{RUN}={run.id}", language=None, wrap_lines=True)
    if run.facts is not None:
        for note in run.facts.notes:
            st.caption(plain(note))
        st.caption(
            f"{run.facts.train_pictures:,} pictures to train on, {run.facts.test_pictures:,} to test on, SHA-256 "
            f"{run.facts.data_sha256[:16]}…; {plain(run.device)}; {plain(run.facts.software)}."
        )
    with st.expander("Log"):
        st.code(store().log(run.id) or "Nothing yet.", language=None, height=240)
    if run.is_mine:
        is_pressed = st.button(
            "Delete",
            icon=":material/delete:",
            key=f"train-delete-{run.id}",
            help="If the run is training, it is cancelled. You can undo this for ten minutes.",
        )
        if is_pressed:
            attempt(store().delete, run.id, owner.key())
            st.session_state.pop(OPENED, None)
            st.query_params.pop(RUN, None)
            st.rerun()


def _name(run: Run) -> None:
    key = f"train-name-{run.id}"

    def rename() -> None:
        attempt(store().rename, run.id, st.session_state[key], owner.key())

    st.text_input(
        "Name",
        value=title_of(run),
        key=key,
        max_chars=80,
        on_change=rename,
        help="If empty, the run is named after what it trains.",
    )


def _downloads(run: Run, epochs: Sequence[Epoch]) -> None:
    """Files are made when they are asked for."""
    path, name = store().weights_path(run.id), f"{run.recipe.network}-{run.recipe.size_px}px-{run.id}"
    st.markdown("**Download**")
    with st.container(horizontal=True):
        if path.exists():
            st.download_button(
                "Weights",
                path.read_bytes,
                f"{name}.safetensors",
                "application/octet-stream",
                key=f"train-weights-{run.id}",
                on_click="ignore",
                icon=":material/download:",
                help="A safetensors file that includes the configuration: this app and the command line read it.",
            )
        st.download_button(
            "Figures",
            metrics_csv(epochs),
            f"{name}.csv",
            "text/csv",
            key=f"train-csv-{run.id}",
            on_click="ignore",
            icon=":material/download:",
            help="CSV: a row for each epoch, in full precision.",
        )
        st.download_button(
            "Configuration",
            configuration_json(run),
            f"{name}.json",
            "application/json",
            key=f"train-json-{run.id}",
            on_click="ignore",
            icon=":material/download:",
            help="JSON: everything that the numbers depend on, and what was recorded: data with checksum, device, "
            "versions.",
        )
        st.download_button(
            "Report",
            lambda: report(run, title_of(run), epochs, command=words_of(run.recipe)),
            f"{name}.html",
            "text/html",
            key=f"train-html-{run.id}",
            on_click="ignore",
            icon=":material/download:",
            help="HTML with tables and charts in one file of 5 MB, to read offline and without this app.",
        )
