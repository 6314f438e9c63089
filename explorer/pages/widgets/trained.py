"""Trained weights as a visitor or a link chooses them: shipped, of a run, or uploaded. Imports no torch.

The query parameter `weights` is `shipped:NAME`, `run:ID`, or absent for random ones; uploads are in no link. Where
weights are chosen, the values that their recipe asks for are the defaults of the controls, so that a link needs only
what differs from them.
"""

import time
from collections.abc import Container
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import streamlit as st

from equivariance.errors import EquivarianceError, WeightsError
from explorer.data.known import KNOWN
from explorer.errors import SettingError, StoreError
from explorer.pages.session import owner
from explorer.pages.session.shared import settings, this_page
from explorer.serving.shipped import FOLDER, find_shipped, shipped, shipped_bytes
from explorer.serving.weights_header import Header, header_of, read_bytes
from explorer.training.metrics import TURNS
from explorer.training.recipe import RUN, SHIPPED, Recipe, recipe_said
from models.catalog import FAMILIES, GROUPS, HEADS, NetworkSpec, own_head

Value = TypeVar("Value", bound=str | int)

RANDOM, FILE = "random", "file"
PARAMETER = "weights"  # of links
NETWORK = ("family", "group", "filters", "learner")  # controls that decide whether weights fit
FOLLOWING = (*NETWORK, "subsampling", "size", "fit", "picture", "sampling", "subject")  # and those that follow weights
UPLOAD = "weights_upload"  # (name, bytes), in the session
_CHOSEN = "weights_chosen"  # not the control's own: on the first run of another page that has no value yet
_PAGE = "weights_page"
_TOLD = "weights_told"  # what the address said last
_DIGITS, _DIGIT = "mnist", "digit-6"  # data sets that begin so are of digits; the one to show their networks with


@dataclass(frozen=True)
class Trained:
    """Weights to use instead of random ones, and what their file says of them.

    key: as in links. note: what trained them, in one line. recipe: the same, if the file says so. picture: of the
        gallery, to show them with.
    problem: why they cannot be used, one sentence; empty where they can.
    source: where the bytes are, or the bytes.
    """

    key: str
    title: str
    note: str = ""
    header: Header = field(default_factory=lambda: Header(""), repr=False)
    recipe: Recipe | None = None
    picture: str | None = None
    problem: str = ""
    source: Path | bytes = field(default=b"", repr=False, compare=False)

    @property
    def sha256(self) -> str:
        """Of the file: what numbers depend on."""
        return self.header.sha256

    def read(self) -> bytes:
        """The bytes of the file; raises WeightsError."""
        return self.source if isinstance(self.source, bytes) else read_bytes(self.source)

    def network(self, chosen: NetworkSpec) -> NetworkSpec:
        """`chosen` with the width, the head and the number of classes of these weights."""
        count = len(self.header.classes)
        classes = None if count in (0, FAMILIES[chosen.family].classes) else count
        if self.recipe is None:
            return replace(chosen, classes=classes, minimum_width=False)
        head = own_head(chosen.name, self.recipe.head)
        return replace(chosen, classes=classes, minimum_width=self.recipe.minimum_width, head=head)

    def checked(self, chosen: NetworkSpec) -> "Trained":
        """The same weights, with the problem that they have with the chosen network, if any."""
        recipe = self.recipe
        if self.problem or recipe is None:
            return self
        if recipe.network != chosen.name:
            return replace(self, problem=f"These weights belong to {recipe.network} and do not fit {chosen.name}.")
        return self


def chosen_key() -> str:
    """The key of what is chosen. A link, or another page's, counts more than what was chosen before, once."""
    asked = st.query_params.get(PARAMETER)
    if asked is not None and asked != st.session_state.get(_TOLD):
        st.session_state[_TOLD] = st.session_state[_CHOSEN] = asked
        adopt(but=set(st.query_params))
    return str(st.session_state.get(_CHOSEN, RANDOM))


def tell_address() -> None:
    """Put the chosen weights into the address: shipped ones and runs; uploads and random ones are not part of it."""
    key = chosen_key()
    told = key if key.startswith((SHIPPED, RUN)) else None
    here = this_page()
    if told is None:
        st.query_params.pop(PARAMETER, None)
    elif st.query_params.get(PARAMETER) != told or st.session_state.get(_PAGE) != here:
        st.query_params[PARAMETER] = told  # on another page the browser may have dropped what the server still knows
    st.session_state[_TOLD], st.session_state[_PAGE] = told, here


def are_chosen_here() -> bool:
    """Whether this page lets weights be chosen: on others, an error about weights is not about the chosen ones."""
    return bool(st.session_state.get(_PAGE) == this_page())


def chosen() -> Trained | None:
    """The chosen weights; None for random ones, and before a file is given."""
    key = chosen_key()
    if key == RANDOM or (key == FILE and UPLOAD not in st.session_state):
        return None
    try:
        return _trained(key)
    except EquivarianceError as error:
        return Trained(key, key, problem=str(error))


def default(control: str, otherwise: Value) -> Value:
    """What a control shows at first: what the recipe of the chosen weights asks for, or else `otherwise`."""
    asked = _values(chosen()).get(control)
    return asked if isinstance(asked, type(otherwise)) else otherwise


def adopt(*, only: Container[str] | None = None, but: Container[str] = ()) -> None:
    """Set the controls, all or some, to what the recipe of the chosen weights asks for."""
    for control, value in _values(chosen()).items():
        if control not in but and (only is None or control in only):
            st.session_state[control] = value


def choose(key: str) -> None:
    """Choose other weights and set the controls to what they ask for; the address says those that keep their values.

    For callbacks: the defaults of the controls change, and with them what the address leaves out.
    """
    st.session_state[_CHOSEN] = key
    for control in FOLLOWING:
        if control in st.session_state:
            st.session_state[control] = st.session_state[control]
    adopt()


def _values(trained: Trained | None) -> dict[str, str | int]:
    """By control of any page, what these weights ask for."""
    recipe = None if trained is None else trained.recipe
    if trained is None or recipe is None:
        return {}
    network = recipe.network_spec(2)
    group = GROUPS[network.group]
    pictures = {} if trained.picture is None else {"picture": trained.picture, "subject": trained.picture}
    return {
        **pictures,
        "family": network.family,
        "group": group.title,
        "filters": group.filters,
        "subsampling": recipe.subsampling,
        "size": min(recipe.size_px, settings().max_size_px),
        "oblong": False,
        "fit": _fit_of(recipe),
        "learner": recipe.network,
        "sampling": recipe.subsampling,
    }


def _fit_of(recipe: Recipe) -> str:
    """How pages bring pictures to size as training did: their `pad` enlarges, that of training has black around."""
    known = KNOWN.get(recipe.data)
    is_smaller = known is not None and known.side_px < recipe.size_px
    return "crop" if recipe.how == "pad" and is_smaller else recipe.how


def plain_beside(trained: Trained | None) -> Trained | None:
    """The app's own weights of the plain network, if it was trained on the same data as the chosen one."""
    recipe = None if trained is None else trained.recipe
    if recipe is None:
        return None
    family = recipe.network_spec(2).family
    for each in (_shipped(f"{SHIPPED}{entry.name}") for entry in shipped()):
        other = each.recipe
        is_alike = other is not None and (other.data, other.rotation, other.mirrors, other.how) == (
            recipe.data,
            recipe.rotation,
            recipe.mirrors,
            recipe.how,
        )
        if other is not None and is_alike and other.network == f"z2-{family}" and not recipe.minimum_width:
            return each
    return None


# ------------------------------------------------------------------------------------------------------------- sources


def titles() -> dict[str, str]:
    """What is offered, by key: random weights, those of the app, the visitor's runs, what a link asks for, a file."""
    offered = {RANDOM: "random"}
    offered |= {f"{SHIPPED}{each.name}": each.title for each in shipped()}
    offered |= _runs_of_visitor()
    key = chosen_key()
    if key not in (*offered, FILE):
        trained = chosen()
        offered[key] = key if trained is None else trained.title
    return {**offered, FILE: "a file of mine …"}


def _trained(key: str) -> Trained:
    """The weights called `key`; raises an EquivarianceError for those that are not available."""
    if key.startswith(SHIPPED):
        return _shipped(key)
    if key.startswith(RUN):
        return _of_run(key, int(time.monotonic()))
    if key == FILE:
        name, data = st.session_state[UPLOAD]
        header = header_of(data, name)
        return _described(key, name, header, data)
    raise WeightsError(f"There are no weights {key!r}: use random, {SHIPPED}NAME or {RUN}ID.")


@lru_cache(maxsize=32)
def _shipped(key: str) -> Trained:
    entry = find_shipped(key.removeprefix(SHIPPED))
    header = header_of(shipped_bytes(entry.name), entry.file)
    described = _described(key, entry.title, header, FOLDER / entry.file)
    upright, *turned = (f"{entry.figures['accuracy'][name]:.1%}" for name in TURNS)
    note = f"{described.note} Accuracy upright {upright}, turned {', '.join(turned)}."
    return replace(described, picture=entry.picture, note=note)


def _described(key: str, title: str, header: Header, source: Path | bytes) -> Trained:
    """With what the header says of the recipe; nothing where it says nothing, or what another version wrote."""
    recipe = recipe_said(header.said("recipe"))
    if recipe is None:
        note = "The file does not say which network the weights belong to: choose it above."
        return Trained(key, title, note, header, source=source)
    network = recipe.network_spec(2)
    head = f" Its head: {HEADS[network.pooling]}." if network.group != "z2" else ""
    note = f"A {recipe.network}, trained on {recipe.data} at {recipe.size_px} px.{head}"
    picture = _DIGIT if recipe.data.startswith(_DIGITS) else None
    return Trained(key, title, note, header, recipe, picture, source=source)


@lru_cache(maxsize=64)
def _of_run(key: str, second: int) -> Trained:
    """The weights of a run by its id, looked up once in a second at most: a page asks many times."""
    from explorer.pages.session.runs_here import store, title_of  # late: it imports the database

    run = store().get(key.removeprefix(RUN))
    path = store().weights_path(run.id)
    if not path.exists():
        raise WeightsError(f"The run {run.id} is {run.state} and has no weights yet: wait for its first epoch.")
    state = path.stat()
    return _described(key, title_of(run), _header(path, state.st_mtime_ns, state.st_size), path)


@lru_cache(maxsize=64)
def _header(path: Path, changed_ns: int, size: int) -> Header:
    """Kept until the file changes."""
    return header_of(read_bytes(path), path.name)


def _runs_of_visitor() -> dict[str, str]:
    """The titles of the visitor's runs that have weights, by key."""
    if not owner.is_known() or not has_runs():
        return {}
    from explorer.pages.session.runs_here import store, title_of  # late: it imports the database

    try:
        runs = [run for run in store().list(owner.key()) if store().weights_path(run.id).exists()]
    except StoreError:  # the Train page says why
        return {}
    return {f"{RUN}{run.id}": f"my run: {title_of(run)}" for run in runs}


def has_runs() -> bool:
    """Whether anybody has trained anything here."""
    try:
        return bool(settings().database) or any(settings().runs_path.glob("*.sqlite"))
    except (OSError, SettingError):  # a folder that cannot be read; a user without a home
        return False
