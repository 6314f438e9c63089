"""The Train page: start runs, watch them, compare them, take their weights to the other pages.

This file imports no torch, so that the page appears at once; functions that compute import `live` themselves.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from equivariance.errors import EquivarianceError
from explorer.data.known import FOLDER, KNOWN
from explorer.figures.training import MOST_RUNS, Lane
from explorer.pages.session import owner
from explorer.pages.session.runs_here import label_of, store, title_of
from explorer.pages.session.shared import plain, settings
from explorer.pages.train.charts import draw_figures_of_last, draw_runs
from explorer.pages.train.controls import Plan, controls
from explorer.pages.train.details import draw_details
from explorer.pages.train.runs import (
    OPENED,
    PROBLEM,
    RUN,
    SHOWN,
    draw_cards,
    draw_table,
    draw_undo,
    duration,
    lanes_of,
    shown_of,
)
from explorer.pages.widgets.problems import expected_errors
from explorer.runs.launch import pump
from explorer.runs.run import Run
from explorer.serving.shipped import Shipped, shipped
from explorer.training.command import words_of
from explorer.training.metrics import epoch_of
from explorer.training.recipe import recipe_of

_LIVE_S = 1.5
_ESTIMATED = "train_estimated"
_IDEA = (
    "Networks are trained upright and tested turned. An exactly equivariant network gives a turned picture the same "
    "answer as the upright one. An approximate network has learned, through its subsampling, to tell the two apart; a "
    "plain network has never seen turned pictures."
)
_TURNED = {
    "none": "upright as they are",
    "quarter": "turned by quarter turns",
    "uniform": "turned by any angle",
}


def page() -> None:
    """A run by its id, or the whole page."""
    asked = st.query_params.get(RUN)
    if asked:
        _only_one(asked)
        return
    runs, problem = _runs()
    if settings().training == "off":
        _draw_off(runs, problem)
        return
    plan = controls({f"run:{run.id}": title_of(run) for run in runs if store().weights_path(run.id).exists()})
    st.markdown("### Train networks")
    st.markdown(_IDEA)
    is_possible = owner.is_known() and not problem
    estimated = _draw_start(plan, is_possible=is_possible)
    _draw_runs(runs, problem)
    owner.ask()
    if is_possible:
        _draw_estimate(plan, estimated, is_live=any(run.is_active for run in runs))


def _draw_off(runs: Sequence[Run], problem: str) -> None:
    """The page where training is switched off: earlier runs."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
    st.markdown("### Train networks")
    st.markdown(_IDEA)
    st.info("Training is switched off here. Earlier runs can still be viewed.", icon=":material/block:")
    _draw_runs(runs, problem)
    owner.ask()


def _runs() -> tuple[tuple[Run, ...], str]:
    """The visitor's runs, and why they cannot be read, if so."""
    try:
        return store().list(owner.key()), ""
    except EquivarianceError as error:
        return (), str(error)


# --------------------------------------------------------------------------------------------------------------- start


def _draw_start(plan: Plan, *, is_possible: bool) -> st.delta_generator.DeltaGenerator:
    """What a press would do, and the button; returns the place of the estimate."""
    with st.container(border=True, key="train-start"):
        st.markdown(sentence_of(plan))
        with st.container(horizontal=True, vertical_alignment="center"):
            count = len(plan.recipes)
            is_pressed = st.button(
                "Train" if count == 1 else f"Train {count} networks",
                icon=":material/play_arrow:",
                key="train-button",
                disabled=not is_possible or plan.lacks_file,
                help="The runs train in the background: you can close this page.",
            )
            estimated = st.empty()
            if is_possible:
                estimated.caption("How long will it take? Trying …")
            st.space("stretch")
            with st.popover(
                "Copy as command", icon=":material/terminal:", help="A command that trains the same in a terminal."
            ):
                st.caption("This command trains the same in a terminal:")
                st.code("\n".join(map(words_of, plan.recipes)), language="bash", wrap_lines=True)
                if plan.needs_file:
                    st.caption("Add --from with the path of your weights.")
        if owner.is_fleeting():
            st.caption(
                "Your browser does not store anything for this page: you will lose access to your runs when "
                "you close it."
            )
        if owner.can_log_in():
            st.button("Log in", on_click=st.login, help="You can then find your runs on other devices, too.")
    if is_pressed:
        _start(plan)
    return estimated


def sentence_of(plan: Plan) -> str:
    """What a press would do, in a sentence or two."""
    first = plan.recipes[0]
    names = [f"`{label_of(recipe)}`" for recipe in plan.recipes]
    if plan.is_comparison:
        kinds = ("exact", "approximate", "plain", "mended")
        said = [f"{name} ({kind})" for name, kind in zip(names, kinds, strict=False)]
        what = f"{', '.join(said[:-1])} and {said[-1]}, one after the other"
    else:
        what = names[0]
    if plan.pictures is None:
        data = f"the pictures in {plain(first.data.removeprefix(FOLDER)) or 'a folder'}"
        tested = "the rest"
    else:
        train, test = plan.pictures
        data, tested = f"{train:,} {KNOWN[first.data].words}", f"{test:,}"
    rotation = first.rotations
    turned = _TURNED.get(rotation.kind, f"turned by {rotation.mean_deg:g}° ± {rotation.sd_deg:g}°")
    mirrored = ", half of them mirrored" if first.mirrors else ""
    epochs = f"{first.epochs} epoch{'s' * (first.epochs > 1)}"
    return (
        f"Trains {what}{_start_words(plan)}, on {data}, {turned}{mirrored}, for {epochs}, and tests on {tested} at all "
        "four quarter turns."
    )


def _start_words(plan: Plan) -> str:
    """What it starts from; nothing for random weights."""
    if plan.lacks_file:
        return ", from a file that you **still have to choose** under More"
    return f", from the weights of {plain(plan.start)}" if plan.start else ""


def _start(plan: Plan) -> None:
    """Start the runs and show them."""
    with expected_errors():
        with st.spinner("Starting …"):
            from explorer.pages.train import live  # late: it imports torch, which takes seconds

            st.session_state[SHOWN] = live.start(plan, owner.key())
        st.rerun()


def _draw_estimate(plan: Plan, place: st.delta_generator.DeltaGenerator, *, is_live: bool) -> None:
    """How long it takes, or why it cannot be trained.

    is_live: something trains, beside which nothing is tried: each would be slowed down, and the page with them.
    """
    known_plan, words = st.session_state.get(_ESTIMATED, (None, ""))
    if known_plan != plan.recipes and is_live:
        words = "The time is estimated once none of your runs is training."
    elif known_plan != plan.recipes or not is_live:
        words = _estimate(plan, place.caption)
        st.session_state[_ESTIMATED] = (plan.recipes, words)
    with place.container(key="train-estimated"):
        st.caption(words)


def _estimate(plan: Plan, tell: Callable[[str], object]) -> str:
    """Computes; each message lets Streamlit end the run."""
    from explorer.pages.train import live

    try:
        estimate = live.estimate(plan, owner.key(), tell)
    except EquivarianceError as error:
        return f":material/error: {plain(str(error))}"
    time = "as long as the folder has pictures," if estimate.seconds is None else f"about {duration(estimate.seconds)}"
    waiting = f" · {estimate.waiting} waiting before" if estimate.waiting else ""
    return f"{time} on {estimate.device}{waiting}"


def _draw_problem() -> None:
    """Why the last button was refused, shown once."""
    problem = st.session_state.pop(PROBLEM, None)
    if problem:
        st.error(plain(problem), icon=":material/error:")


# ---------------------------------------------------------------------------------------------------------------- runs


def _draw_runs(runs: Sequence[Run], problem: str) -> None:
    """The runs that are shown, or an example of what they look like. problem: why they cannot be read, if so."""
    if problem:
        st.error(plain(problem), icon=":material/error:")
        _draw_example()
        return
    _draw_problem()
    shown = shown_of(runs)
    with expected_errors():
        draw_undo()
        if shown:
            _draw_comparison(shown, runs)
        elif owner.is_known() or settings().training == "off":
            _draw_example()
        else:
            st.caption("Looking for your runs …")
    _draw_opened(runs)


def _draw_comparison(shown: Sequence[Run], runs: Sequence[Run]) -> None:
    lanes = lanes_of(shown)
    _follow(shown, lanes, runs, details=True)
    draw_runs(lanes)
    draw_table(runs, shown)
    if len(st.session_state.get(SHOWN, ())) > MOST_RUNS:
        st.caption(f"At most {MOST_RUNS} runs are shown: the first of those that you chose.")


def _follow(shown: Sequence[Run], lanes: Sequence[Lane], runs: Sequence[Run], *, details: bool) -> None:
    """The cards; while something trains they redraw themselves, and everything else when there is news."""
    drawn = _news(shown, lanes, runs)
    is_live = any(run.is_active for run in runs)

    def cards() -> None:
        with expected_errors():
            fault = pump(store(), settings())
            if fault:
                st.error(plain(fault), icon=":material/error:")
            now = _runs_now(shown, details)
            chosen = tuple(run for run in now if run.id in {each.id for each in shown})
            chosen = tuple(sorted(chosen, key=lambda run: run.created_s))
            lanes_now = lanes_of(chosen)
            if _news(chosen, lanes_now, now) != drawn:
                st.rerun()
            draw_cards(chosen, lanes_now, details=details)

    st.fragment(cards, run_every=_LIVE_S if is_live else None)()


def _runs_now(shown: Sequence[Run], all_of_mine: bool) -> Sequence[Run]:
    key = owner.key()
    return store().list(key) if all_of_mine else tuple(store().get(run.id, key) for run in shown)


def _news(shown: Sequence[Run], lanes: Sequence[Lane], runs: Sequence[Run]) -> object:
    """What charts and table depend on."""
    return [(run.id, run.state, run.name) for run in runs], [len(lane.epochs) for lane in lanes], [r.id for r in shown]


def _draw_example() -> None:
    """What the page will show, illustrated by the weights that come with the app."""
    lanes = [_lane_of(each, number) for number, each in enumerate(shipped()[:MOST_RUNS])]
    if not lanes:
        return
    st.markdown("#### An example: the networks that come with the app")
    st.caption(
        "Trained on upright digits by the same code, for longer than the button above would. Your own runs "
        "will appear here instead."
    )
    draw_figures_of_last(lanes)


def _lane_of(each: Shipped, number: int) -> Lane:
    """Of weights that come with the app the last epoch is known, but for how long it took."""
    recipe = recipe_of(each.recipe)
    unknown = {"epoch": recipe.epochs, "step": 0, "pictures_per_s": 0.0, "elapsed_s": 0.0}
    return Lane(each.title, number, recipe, (epoch_of({**unknown, **each.figures}),))


def _draw_opened(runs: Sequence[Run]) -> None:
    """The details that the visitor has open, also after the rest was redrawn."""
    opened = next((run for run in runs if run.id == st.session_state.get(OPENED)), None)
    if opened is None:
        return

    def details() -> None:
        with expected_errors():
            draw_details(opened, store().epochs(opened.id))

    st.dialog(plain(title_of(opened)), width="large", on_dismiss=_close)(details)()


def _close() -> None:
    st.session_state.pop(OPENED, None)


def _only_one(asked: str) -> None:
    """A run by its id, for anyone who has the id."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        st.page_link(__file__, label="All my runs", icon=":material/arrow_back:", query_params={})
    with expected_errors():
        run = store().get(asked, owner.key())
        st.markdown(f"### {plain(title_of(run))}")
        _draw_problem()
        if not run.is_mine:
            st.info(
                "You opened this run by its address: you can look at it, but not change it.", icon=":material/lock:"
            )
        lanes = lanes_of((run,))
        _follow((run,), lanes, (run,), details=False)
        draw_runs(lanes)
        draw_details(run, lanes[0].epochs)
    owner.ask()


page()
