"""The control of the weights that all pages with a network share: random, trained, of a run, or from a file."""

import streamlit as st

from equivariance.errors import WeightsError
from explorer.pages.session import owner
from explorer.pages.session.shared import plain
from explorer.pages.widgets.controls import head_control, linked
from explorer.pages.widgets.trained import (
    FILE,
    NETWORK,
    RANDOM,
    UPLOAD,
    Trained,
    adopt,
    are_chosen_here,
    choose,
    chosen,
    chosen_key,
    has_runs,
    tell_address,
    titles,
)
from explorer.serving.weights_header import header_of
from models.catalog import NetworkSpec

_CONTROL = "weights"
_SEEN = "weights_seen"
DTYPES = ("float32", "float64")


def more_controls(network: NetworkSpec, trained: Trained | None) -> tuple[NetworkSpec, Trained | None, int, str]:
    """(the network as the weights need it, they with the problem that they have with it, seed, precision)."""
    with st.expander("More"):
        dtype = st.segmented_control(
            "Precision",
            DTYPES,
            default=DTYPES[0],
            required=True,
            help="float64 pushes the rounding level from 1e-6 down to 1e-15.",
            **linked("dtype"),
        )
        if trained is None or trained.recipe is None:  # else the head is that of the weights
            network = head_control(network)
        seed = seed_control(trained)
    return (*fitted(network, trained), seed, str(dtype))


def seed_control(trained: Trained | None) -> int:
    """The seed of random weights; 0 and no control for trained ones."""
    if trained is not None:
        return 0
    return int(st.number_input("Seed", 0, 9999, help="The random weights are drawn from this seed.", **linked("seed")))


def fitted(network: NetworkSpec, trained: Trained | None) -> tuple[NetworkSpec, Trained | None]:
    """The network as the weights need it, and the weights with the problem that they have with it, if any."""
    return (network, None) if trained is None else (trained.network(network), trained.checked(network))


def weights_control() -> Trained | None:
    """The chosen weights, None for random ones; a caption says what they are."""
    _ask_for_owner()
    offered = titles()
    st.session_state[_CONTROL] = chosen_key()
    key = st.selectbox(
        "Weights",
        list(offered),
        format_func=lambda key: offered.get(key, key),
        key=_CONTROL,
        on_change=_follow,
        help="Random: untrained, drawn from a seed; exactness does not depend on them. Trained: those that come with "
        "the app, those of your runs, or a safetensors file of yours. Network, size and fit follow the weights.",
    )
    tell_address()
    if key == FILE:
        _upload()
    trained = chosen()
    if trained is not None and trained.note:
        st.caption(plain(trained.note))
    return trained


def _ask_for_owner() -> None:
    """Have the browser tell whose runs are to be offered; not in the first run, which fills the screen."""
    if _SEEN in st.session_state and has_runs():
        owner.ask()
    st.session_state[_SEEN] = True


def offer_way_out() -> None:
    """Buttons below a sentence about weights that cannot be used."""
    trained = chosen()
    if trained is None or not are_chosen_here():
        return
    with st.container(horizontal=True):
        if trained.recipe is not None and not trained.problem:
            st.button(
                "Take the network of these weights",
                key="take-network",
                on_click=lambda: adopt(only=NETWORK),
                help=f"Switches to {trained.recipe.network}, as it was trained.",
            )
        st.button(
            "Use random weights",
            key="take-random",
            on_click=lambda: choose(RANDOM),
            help="Goes back to untrained weights.",
        )


def _follow() -> None:
    choose(st.session_state[_CONTROL])


def _upload() -> None:
    st.file_uploader(
        "Upload weights",
        type=["safetensors"],
        key="weights_file",
        on_change=_keep_upload,
        help="A safetensors file as the Train page and the command line write it, or from a network with the same "
        "shapes. It stays in this session's memory; nobody else sees it.",
    )
    if UPLOAD in st.session_state:
        st.caption(plain(st.session_state[UPLOAD][0]))
    if "weights_problem" in st.session_state:
        st.error(plain(st.session_state["weights_problem"]), icon=":material/error:")


def _keep_upload() -> None:
    """Take the file that was given, and what its recipe asks for; or a sentence if it is not such a file."""
    st.session_state.pop("weights_problem", None)
    file = st.session_state["weights_file"]
    if file is None:
        return
    data = file.getvalue()
    try:
        header_of(data, file.name)
    except WeightsError as error:
        st.session_state["weights_problem"] = str(error)
        return
    st.session_state[UPLOAD] = (file.name, data)
    choose(FILE)
