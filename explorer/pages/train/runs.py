"""The runs of the Train page: a card for each that is shown, the table of all, and what can be done with them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import ParamSpec

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from equivariance.errors import EquivarianceError
from explorer.figures.training import MOST_RUNS, Lane
from explorer.pages.session import owner
from explorer.pages.session.addresses import address_of
from explorer.pages.session.runs_here import store, title_of
from explorer.pages.session.shared import plain, settings
from explorer.pages.train.charts import kind_of, kind_words, sign_of
from explorer.runs.run import Run
from explorer.training.metrics import Epoch

SHOWN, OPENED, PROBLEM, RUN = "train_shown", "train_opened", "train_problem", "run"
_ROWS, _FILTER = "train_rows", "train_filter"
_ONE_PRESS_S = 30.0
_MOST_IN_LINE = 3  # deleted runs
_WITH_TESTS = 1.2  # the time of an epoch, as a multiple of its training's
STATES = {
    "queued": "… waiting",
    "running": "▶ training",
    "finished": "✓ finished",
    "cancelled": "■ cancelled",
    "failed": "! failed",
    "interrupted": "‖ interrupted",
}
Arguments = ParamSpec("Arguments")
_KINDS = {"exact": "● exact", "approximate": "◐ approximate", "plain": "○ plain", "": ""}


def shown_of(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs that the visitor chose, or those of the last press; at most MOST_RUNS, in the order they were made."""
    chosen = st.session_state.get(SHOWN, ())
    found = [run for run in runs if run.id in chosen]
    if not found and runs:
        latest_s = max(run.created_s for run in runs)
        found = [run for run in runs if run.created_s > latest_s - _ONE_PRESS_S]
    return tuple(sorted(found, key=lambda run: run.created_s))[:MOST_RUNS]


def lanes_of(runs: Sequence[Run]) -> tuple[Lane, ...]:
    """The runs with their epochs, each with a style of its own; those of one name are told apart by their seeds."""
    epochs = store().epochs_of(run.id for run in runs)
    names = [title_of(run) for run in runs]
    titles = [f"{name} · {number + 1}" if names.count(name) > 1 else name for number, name in enumerate(names)]
    return tuple(
        Lane(title, number, run.recipe, epochs[run.id])
        for number, (title, run) in enumerate(zip(titles, runs, strict=True))
    )


def attempt(action: Callable[Arguments, object], *arguments: Arguments.args, **options: Arguments.kwargs) -> None:
    """For a button: do something with the store; what is refused is one sentence on the page."""
    st.session_state.pop(PROBLEM, None)
    try:
        action(*arguments, **options)
    except EquivarianceError as error:
        st.session_state[PROBLEM] = str(error)


# --------------------------------------------------------------------------------------------------------------- cards


def draw_cards(runs: Sequence[Run], lanes: Sequence[Lane], *, details: bool) -> None:
    """What each run is, how far it is, and its numbers; with buttons for those who may. details: whether they open."""
    st.html("<style>[class*='st-key-train-title-'] {min-height: 2.5rem}</style>")  # with or without a button
    for start in range(0, len(runs), 3):
        columns = st.columns(3)
        for column, run, lane in zip(columns, runs[start : start + 3], lanes[start : start + 3], strict=False):
            with column.container(border=True, height="stretch", key=f"train-card-{run.id}"):
                _card(run, lane, details=details)


def _card(run: Run, lane: Lane, *, details: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"train-title-{run.id}"):
        st.html(f"<div>{sign_of(lane.number)} <strong>{escape(lane.title)}</strong></div>")
        _state_buttons(run)
    last = lane.last
    fraction, words = progress_of(run, lane.epochs)
    st.progress(fraction, text=plain(words))
    if last is None:
        st.markdown("Nothing measured yet.  \n ")
    else:
        st.markdown(
            f"{kind_words(lane)}  \nupright **{last.accuracy['identity']:.1%}** · "
            f"other turns **{last.unseen_accuracy:.1%}**"
        )
    if run.error:
        st.error(plain(run.error), icon=":material/error:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if last is not None and store().weights_path(run.id).exists():
            look_links(run)
        if details and st.button("Details", key=f"train-details-{run.id}", help="Name, files, configuration, log."):
            st.session_state[OPENED] = run.id
            st.rerun()


def _state_buttons(run: Run) -> None:
    if run.is_mine and run.is_active and not run.is_stopping:
        st.button(
            "Cancel",
            key=f"train-cancel-{run.id}",
            type="tertiary",
            icon=":material/stop:",
            on_click=attempt,
            args=(store().cancel, run.id, owner.key()),
            help="Stops within two seconds and keeps everything so far; Resume continues from there.",
        )
    if run.is_mine and run.is_resumable and settings().training == "on":
        st.button(
            "Resume",
            key=f"train-resume-{run.id}",
            type="tertiary",
            icon=":material/play_arrow:",
            on_click=attempt,
            args=(store().resume, run.id, owner.key()),
            help="Continues from the last checkpoint, as if the run had never stopped.",
        )


def look_links(run: Run) -> None:
    """Into the other pages with the weights of this run."""
    with st.popover(
        "Look with these weights",
        icon=":material/visibility:",
        key=f"train-look-{run.id}",
        help="Opens the other pages with the weights after the last epoch, at the size of the training.",
    ):
        for page, label in (("look", "Look"), ("sizes", "Sizes"), ("orbit", "Orbit"), ("break_it", "Break it")):
            st.page_link(address_of(page), label=label, query_params={"weights": f"run:{run.id}"})


def state_of(run: Run) -> str:
    """The state in words, with its sign."""
    words = STATES[run.state]
    if run.is_stopping:
        return "▶ stopping …"
    if run.position is not None:
        return f"{words}, {'next' if run.position == 1 else f'number {run.position}'} in the queue"
    if run.started_s is not None and run.ended_s is not None:
        return f"{words} after {duration(run.ended_s - run.started_s)} · {run.device}"
    return words


def progress_of(run: Run, epochs: Sequence[Epoch]) -> tuple[float, str]:
    """(share done, 0..1; what is being done and the time left, in words)."""
    progress = run.progress
    done = min(progress.step / progress.steps, 1.0) if progress and progress.steps else 0.0
    if run.state != "running" or run.is_stopping:
        return (1.0 if run.state == "finished" else done), state_of(run)
    if progress is None:
        return 0.0, "▶ starting: the data, the network …"
    words = f"▶ epoch {min(progress.epoch + 1, run.recipe.epochs)} of {run.recipe.epochs}"
    left_s = _left_s(run, done, epochs)
    return done, words if left_s is None else f"{words} · {duration(left_s)} left"


def _left_s(run: Run, done: float, epochs: Sequence[Epoch]) -> float | None:
    """From the time of the last epochs; before there is one, from the current pace, with something added for the "
    "tests."""
    trained = [epoch.elapsed_s for epoch in epochs if epoch.epoch][-3:]
    if trained:
        return sum(trained) / len(trained) * run.recipe.epochs * (1 - done)
    progress = run.progress
    if progress is None or not progress.pictures_per_s:
        return None
    return _WITH_TESTS * (progress.steps - progress.step) * run.recipe.batch_size / progress.pictures_per_s


def duration(seconds: float) -> str:
    """About how long, in everyday words."""
    if seconds < 55:
        return f"{max(5 * round(seconds / 5), 5)} s"
    if seconds < 55 * 60:
        return f"{max(round(seconds / 60), 1)} min"
    return f"{seconds / 3600:.1f} h"


# --------------------------------------------------------------------------------------------------------------- table


def draw_table(runs: Sequence[Run], shown: Sequence[Run]) -> None:
    """All runs of the visitor; the chosen rows are those shown above."""
    st.markdown("**Your runs**", help="Tick up to six rows to see these runs above, side by side.")
    listed = _filtered(sorted(runs, key=lambda run: run.created_s))
    if not listed:
        st.caption("No run has these words in its name, network, data or state.")
        return
    epochs = store().epochs_of(run.id for run in listed)
    rows = [run.id for run in listed]
    ids = {run.id for run in shown}
    key = f"train-table-{hash(tuple(rows))}"  # other rows are another table: what is chosen is told by place
    st.session_state[_ROWS] = (key, rows)
    st.dataframe(
        [_row(run, epochs[run.id]) for run in listed],
        key=key,
        hide_index=True,
        column_config=_COLUMNS,
        on_select=_choose,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [at for at, run in enumerate(rows) if run in ids]}},
        row_height=36,
        placeholder="",
        alt="Your runs: state, accuracy and how it changed",
    )
    st.button(
        "Delete the chosen",
        key=f"{key}-delete",  # another table is another button: a second click does not meet what comes next
        icon=":material/delete:",
        on_click=_delete,
        disabled=not _chosen(),
        help="Deletes the runs whose rows are ticked; those that are training are cancelled. You can undo this for "
        "ten minutes.",
    )


def _filtered(runs: list[Run]) -> list[Run]:
    if len(runs) <= MOST_RUNS and not st.session_state.get(_FILTER):
        return runs
    words = st.text_input(
        "Filter",
        key=_FILTER,
        persist_state="session",
        placeholder="p4, failed, mnist …",
        width=320,
        help="Shows only runs with these words in their name, network, data or state.",
    )
    wanted = words.lower().split()

    def text(run: Run) -> str:
        return f"{title_of(run)} {run.recipe.network} {run.recipe.size_px} px {run.recipe.data} {run.state}".lower()

    return [run for run in runs if all(word in text(run) for word in wanted)]


def _row(run: Run, epochs: Sequence[Epoch]) -> dict[str, object]:
    last = epochs[-1] if epochs else None
    return {
        "run": title_of(run),
        "state": state_of(run).split(" after")[0],
        "kind": _KINDS[kind_of(Lane("", 0, run.recipe, tuple(epochs)))],
        "upright": last and 100 * last.accuracy["identity"],
        "turned": last and 100 * last.unseen_accuracy,
        "course": [epoch.unseen_accuracy for epoch in epochs],
        "loss": [epoch.test_loss for epoch in epochs],
        "data": run.recipe.data,
        "rotation": run.recipe.rotation,
        "made": datetime.fromtimestamp(run.created_s, UTC),
    }


_COLUMNS: Mapping[str, ColumnConfig] = {
    "run": st.column_config.TextColumn("Run", pinned=True),
    "state": st.column_config.TextColumn("State"),
    "kind": st.column_config.TextColumn("Measured", help="Exact: the errors of all layers are rounding."),
    "upright": st.column_config.NumberColumn("Upright", help="Accuracy after the last epoch.", format="%.1f%%"),
    "turned": st.column_config.NumberColumn(
        "Other turns", help="Mean accuracy at 90°, 180° and 270°.", format="%.1f%%"
    ),
    "course": st.column_config.LineChartColumn("Other turns by epoch", y_min=0, y_max=1),
    "loss": st.column_config.LineChartColumn("Test loss by epoch", y_min=0),
    "data": st.column_config.TextColumn("Data"),
    "rotation": st.column_config.TextColumn("Turned"),
    "made": st.column_config.DatetimeColumn("Made", format="D MMM, HH:mm"),
}


def _chosen() -> tuple[str, ...]:
    """The runs whose rows are ticked; numbers come from the browser, so they are checked."""
    key, rows = st.session_state[_ROWS]
    ticked = st.session_state[key]["selection"]["rows"]
    return tuple(rows[at] for at in ticked if isinstance(at, int) and 0 <= at < len(rows))


def _choose() -> None:
    st.session_state[SHOWN] = _chosen()


def _delete() -> None:
    for run in _chosen():
        attempt(store().delete, run, owner.key())
    st.session_state.pop(SHOWN, None)


def draw_undo() -> None:
    """The deleted runs, the latest first, each with the way back: a few in one line, the others behind a button."""
    deleted = store().list(owner.key(), deleted=True)
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Deleted; you can undo this for ten minutes:", width="content")
        for run in deleted[:_MOST_IN_LINE]:
            _undo_button(run)
        others = deleted[_MOST_IN_LINE:]
        if others:
            with st.popover(f"{len(others)} more", key="train-undo-more", help="Runs that were deleted earlier."):
                for run in others:
                    _undo_button(run)


def _undo_button(run: Run) -> None:
    st.button(
        plain(title_of(run)),
        key=f"train-undo-{run.id}",
        type="tertiary",
        icon=":material/undo:",
        on_click=attempt,
        args=(store().restore, run.id, owner.key()),
        help="Puts this run back.",
    )
