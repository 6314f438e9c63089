"""Controls that several pages have: picture, network, size. A choice made on one page holds on the others."""

from dataclasses import replace
from typing import Literal, TypedDict

import streamlit as st

from explorer.errors import PictureError
from explorer.pages.session.shared import plain, settings
from explorer.pages.widgets.trained import default
from explorer.pictures.images import GALLERY, Fit, Picture, decode, load_gallery
from models.catalog import FAMILIES, GROUPS, HEADS, NO_POOLING, SUBSAMPLINGS, NetworkSpec, own_head, spec

GROUP_TITLES = ("Z2", "C4", "D4", "C8", "D8", "SO(2)")
FITS: tuple[Fit, ...] = ("resize", "crop", "pad")
MAX_UPLOADS = 50
DEFAULT_SIZE_PX = 32
USUAL = "usual"  # the head of the family


class Linked(TypedDict):
    """Options of a widget: its key, and whether its value is part of the link and holds on all pages that have it."""

    key: str
    bind: Literal["query-params"] | None
    persist_state: Literal["session"] | None


def linked(key: str) -> Linked:
    """Of a widget whose value is part of the link, and holds on all pages that have it."""
    return {"key": key, "bind": "query-params", "persist_state": "session"}


def picture_controls() -> tuple[str | None, tuple[Picture, ...], int]:
    """(name in the gallery, None for uploads; the pictures; number of the one to show)."""
    kept: dict[str, Picture | str] = st.session_state.setdefault("uploaded", {})
    names = [picture.name for picture in GALLERY]  # links carry what is shown here: names, not titles
    name = st.selectbox(
        "Picture",
        names,
        index=names.index(default("picture", names[0])),
        help="Real pictures that come with the app. Upload your own below; remove the uploads to get back to these.",
        disabled=any(isinstance(entry, Picture) for entry in kept.values()),
        **linked("picture"),
    )
    files = st.file_uploader(
        "Upload pictures",
        type=["png", "jpg", "jpeg", "webp", "tif", "tiff"],
        accept_multiple_files=True,
        key="uploads",
        on_change=_keep_uploads,
        help="PNG, JPEG, WebP or TIFF, up to 20 MiB each. They stay in this session's memory; nobody else sees them.",
    )
    if kept and not files:  # from another page
        st.button("Remove uploads", on_click=kept.clear, help="Forgets your pictures and goes back to those above.")
    for problem in (entry for entry in kept.values() if isinstance(entry, str)):
        st.error(plain(problem), icon=":material/error:")
    uploaded = tuple(entry for entry in kept.values() if isinstance(entry, Picture))
    if not uploaded:
        return name, (load_gallery(name),), 0
    number = 1
    if len(uploaded) > 1:
        help_text = "Which of your pictures is shown; the table below lists all of them."
        label = f"Picture 1 to {len(uploaded)}"
        number = int(st.number_input(label, 1, len(uploaded), key="picture_number", help=help_text))
    chosen = uploaded[number - 1]
    st.caption(plain(" · ".join((chosen.name, *chosen.notes))))
    return None, uploaded, number - 1


def _keep_uploads() -> None:
    """Decode what the visitor added and forget what was removed; a sentence for each file that is not a picture."""
    kept: dict[str, Picture | str] = st.session_state["uploaded"]
    files = st.session_state["uploads"] or []
    for gone in set(kept) - {file.file_id for file in files}:
        del kept[gone]
    for file in files[:MAX_UPLOADS]:
        if file.file_id not in kept:
            try:
                kept[file.file_id] = decode(file.getvalue(), name=file.name)
            except PictureError as error:
                kept[file.file_id] = str(error)
    if len(files) > MAX_UPLOADS:
        kept["too many"] = f"Only the first {MAX_UPLOADS} of {len(files)} pictures are used: remove some."


def network_controls(*, subsampling: bool = True) -> NetworkSpec:
    """Family, group, kind of filter and, if asked for, subsampling."""
    family = st.selectbox(
        "Network",
        list(FAMILIES),
        index=list(FAMILIES).index(default("family", "resnet18")),
        help="The architecture. All are built for every group, with comparable numbers of parameters.",
        **linked("family"),
    )
    title = st.segmented_control(
        "Group",
        GROUP_TITLES,
        default=default("group", "C4"),
        required=True,
        help="The symmetry built into the network: Z2 shifts only (a plain CNN), C4 quarter turns, D4 also mirrors, C8 "
        "and D8 eighth turns, SO(2) all turns.",
        **linked("group"),
    )
    filters = _filters_control(str(title))
    group = next(group for group in GROUPS.values() if group.title == title and group.filters == filters)
    network = spec(f"{group.name}-{family}")
    return _subsampled(network) if subsampling else network


def _subsampled(network: NetworkSpec) -> NetworkSpec:
    subsampling = st.selectbox(
        "Subsampling",
        SUBSAMPLINGS,
        index=SUBSAMPLINGS.index(default("subsampling", SUBSAMPLINGS[0])),
        help="How strided layers pick their pixels; weights and sides stay the same. Published: from one end. "
        "Symmetric: about the centre, exact at every size. Antialiased: with a blur (Zhang 2019), smoother under "
        "shifts.",
        **linked("subsampling"),
    )
    only = st.query_params.get("only") if subsampling != SUBSAMPLINGS[0] else None
    return replace(network, subsampling=str(subsampling), only=(only,) if only else ())


def _filters_control(title: str) -> str:
    """The kind of filter: a choice for C4 and D4, told for the others."""
    kinds = [group.filters for group in GROUPS.values() if group.title == title]
    wanted = default("filters", kinds[0])
    only_told: Linked = {"key": f"filters-{kinds[0]}", "bind": None, "persist_state": None}
    chosen = st.segmented_control(
        "Filters",
        kinds,
        default=wanted if wanted in kinds else kinds[0],
        required=True,
        disabled=len(kinds) == 1,
        help="Full: every k×k weight is free, copies are turned by quarter turns (p4 and p4m, the paper's). Steerable: "
        "smooth, band-limited filters of escnn. Z2 is always plain; C8, D8 and SO(2) are always steerable.",
        **(linked("filters") if len(kinds) > 1 else only_told),
    )
    return str(chosen)


def head_control(network: NetworkSpec) -> NetworkSpec:
    """The network with the head that is chosen; a plain one has no group to pool."""
    if st.query_params.get("pool") == "false" and "head" not in st.query_params:  # a link of version 0.1
        st.session_state.setdefault("head", NO_POOLING)
    chosen = st.selectbox(
        "Head",
        (USUAL, *HEADS),
        help="What is pooled before the classifier, in which order. Mean first: the mean over space, then the largest "
        "value over the group, as in the paper's CNN. Maximum first: the other way round, as in its ResNets. Both are "
        "invariant in an exact network, and differ in others. No pooling: the logits are not invariant even in an "
        "exact network.",
        **linked("head"),
    )
    network = replace(network, head="" if chosen == USUAL else own_head(network.name, str(chosen)))
    if network.group != "z2":
        st.caption(f"This head: {HEADS[network.pooling]}.")
    return network


def size_control() -> int:
    """Side of the picture in pixels."""
    largest = settings().max_size_px
    size_px = st.number_input(
        "Size (px)",
        2,
        largest,
        value=default("size", min(DEFAULT_SIZE_PX, largest)),
        step=1,
        help="Side of the picture that enters the network. One pixel more or less can make the network exact.",
        **linked("size"),
    )
    return int(size_px)


_FIT_HELP = (
    "How the picture is brought to size. Resize cuts the centre to the right shape and resamples it; crop takes the "
    "centre without resampling; pad scales the whole picture and fills the rest with black."
)


def fit_control(help_text: str = _FIT_HELP) -> Fit:
    """How the picture is brought to size."""
    how: Fit = st.segmented_control(
        "Fit",
        FITS,
        default=default("fit", FITS[0]),
        required=True,
        help=help_text,
        **linked("fit"),
    )
    return how
