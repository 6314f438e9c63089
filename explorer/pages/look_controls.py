"""The controls of the Look page: everything that a visitor chooses, as one `View`."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import PictureError
from explorer.images import GALLERY, Fit, Picture, decode, load_gallery
from explorer.pages.shared import plain, settings
from explorer.transforms import Shift, Transform, elements_to_measure
from models.catalog import FAMILIES, GROUPS, SUBSAMPLINGS, NetworkSpec, spec
from models.groups import Element

GROUP_TITLES = ("Z2", "C4", "D4", "C8", "D8", "SO(2)")
FITS: tuple[Fit, ...] = ("resize", "crop", "pad")
DTYPES = ("float32", "float64")
MODES = ("turns", "angle", "shift")
MAX_UPLOADS = 50
DEFAULT_SIZE_PX = 32


@dataclass(frozen=True)
class View:
    """Everything that the controls choose."""

    network: NetworkSpec
    seed: int
    dtype: str
    gallery: str | None
    pictures: tuple[Picture, ...]
    picture_number: int
    height_px: int
    width_px: int
    how: Fit
    extra: tuple[Transform, ...]

    @property
    def picture(self) -> Picture:
        """The picture that is shown."""
        return self.pictures[self.picture_number]

    def key(self, picture: Picture | None = None) -> str:
        """What the numbers depend on, for the view's own picture or another one."""
        transforms = tuple(transform.name for transform in self.extra)
        pixels = (picture or self.picture).sha256
        return repr((self.network, self.seed, self.dtype, pixels, self.height_px, self.width_px, self.how, transforms))


def controls() -> tuple[View, DeltaGenerator]:
    """The view, and the place under the size for what theory says of it."""
    with st.sidebar:
        st.markdown("#### ◐ Equivariance Explorer")
        gallery, pictures, number = _picture_controls()
        network = _network_controls()
        height_px, width_px = _size_controls()
        near_size = st.empty()
        how = st.segmented_control(
            "Fit",
            FITS,
            default="resize",
            required=True,
            key="fit",
            bind="query-params",
            help="How the picture is brought to size. Resize cuts the centre to the right shape and resamples it; crop "
            "takes the pixels of the centre as they are; pad scales the whole picture and fills up with black.",
        )
        extra = _transform_controls(network)
        seed, dtype, pooling = _further_controls()
    network = replace(network, group_pooling=pooling)
    view = View(network, seed, dtype, gallery, pictures, number, height_px, width_px, how, extra)
    return view, near_size


def _picture_controls() -> tuple[str | None, tuple[Picture, ...], int]:
    """(name in the gallery, None for uploads; the pictures; number of the one to show)."""
    name = st.selectbox(
        "Picture",
        [picture.name for picture in GALLERY],  # links carry what is shown here: names, not titles
        key="picture",
        bind="query-params",
        help="Real pictures that come with the app. Upload your own below; remove the uploads to come back to these.",
        disabled=bool(st.session_state.get("uploads")),
    )
    files = st.file_uploader(
        "Upload pictures",
        type=["png", "jpg", "jpeg", "webp"],
        accept_multiple_files=True,
        key="uploads",
        help="PNG, JPEG or WebP, up to 20 MiB each. They stay in this session's memory and are seen by nobody else.",
    )
    uploaded = _decoded(files or [])
    if not uploaded:
        return name, (load_gallery(name),), 0
    number = 1
    if len(uploaded) > 1:
        help_text = "Which of your pictures is shown; the table below has all of them."
        label = f"Picture 1 to {len(uploaded)}"
        number = int(st.number_input(label, 1, len(uploaded), key="picture_number", help=help_text))
    chosen = uploaded[number - 1]
    st.caption(plain(" · ".join((chosen.name, *chosen.notes))))
    return None, uploaded, number - 1


def _decoded(files: list) -> tuple[Picture, ...]:  # type: ignore[type-arg]  # UploadedFile is not exported
    """The uploads that are pictures, decoded once each; one sentence for every other."""
    kept: dict[str, Picture | str] = st.session_state.setdefault("decoded", {})
    for gone in set(kept) - {file.file_id for file in files}:
        del kept[gone]
    if len(files) > MAX_UPLOADS:
        st.warning(f"Only the first {MAX_UPLOADS} of {len(files)} pictures are used: remove some.")
    for file in files[:MAX_UPLOADS]:
        if file.file_id not in kept:
            try:
                kept[file.file_id] = decode(file.getvalue(), name=file.name)
            except PictureError as error:
                kept[file.file_id] = str(error)
    for problem in (entry for entry in kept.values() if isinstance(entry, str)):
        st.error(plain(problem), icon=":material/error:")
    return tuple(entry for entry in kept.values() if isinstance(entry, Picture))


def _network_controls() -> NetworkSpec:
    family = st.selectbox(
        "Network",
        list(FAMILIES),
        index=list(FAMILIES).index("resnet18"),
        key="family",
        bind="query-params",
        help="The architecture. All are built for every group, with comparable numbers of parameters.",
    )
    title = st.segmented_control(
        "Group",
        GROUP_TITLES,
        default="C4",
        required=True,
        key="group",
        bind="query-params",
        help="The symmetry built into the network: Z2 shifts only (a plain CNN), C4 quarter turns, D4 also mirrors, C8 "
        "and D8 eighth turns, SO(2) all turns.",
    )
    filters = _filters_control(str(title))
    group = next(group for group in GROUPS.values() if group.title == title and group.filters == filters)
    subsampling = st.selectbox(
        "Subsampling",
        SUBSAMPLINGS,
        key="subsampling",
        bind="query-params",
        help="How strided layers pick their pixels, with the same weights and the same sides. Published: from one end. "
        "Symmetric: about the centre, exact at every size. Antialiased: with a blur (Zhang 2019), smoother for shifts.",
    )
    only = st.query_params.get("only") if subsampling != SUBSAMPLINGS[0] else None
    return spec(f"{group.name}-{family}", subsampling=str(subsampling), only=(only,) if only else ())


def _filters_control(title: str) -> str:
    """The kind of filter: a choice for C4 and D4, told for the others."""
    kinds = [group.filters for group in GROUPS.values() if group.title == title]
    options: dict[str, Any] = {"key": "filters", "bind": "query-params", "persist_state": "session"}
    chosen = st.segmented_control(
        "Filters",
        kinds,
        default=kinds[0],
        required=True,
        disabled=len(kinds) == 1,
        help="Full: every k×k weight is free, copies are turned by quarter turns (p4 and p4m, the paper's). Steerable: "
        "smooth, band-limited filters of escnn. Z2 is always plain; C8, D8 and SO(2) are always steerable.",
        **(options if len(kinds) > 1 else {"key": f"filters-{kinds[0]}"}),
    )
    return str(chosen)


def _size_controls() -> tuple[int, int]:
    largest = settings().max_size_px
    size_px = st.number_input(
        "Size (px)",
        2,
        largest,
        value=min(DEFAULT_SIZE_PX, largest),
        step=1,
        key="size",
        bind="query-params",
        help="Side of the picture that the network gets. One pixel more or less can make the network exact.",
    )
    width_px = size_px
    if st.toggle("Not square", key="oblong", bind="query-params", help="Give the picture a width of its own."):
        width_px = st.number_input(
            "Width (px)",
            2,
            largest,
            value=min(33, largest),
            step=1,
            key="width",
            bind="query-params",
            help="Columns of the picture; the size above is then the number of rows.",
        )
    return int(size_px), int(width_px)


def _transform_controls(network: NetworkSpec) -> tuple[Transform, ...]:
    mode = st.segmented_control(
        "Transform",
        MODES,
        default=MODES[0],
        required=True,
        key="transform",
        bind="query-params",
        help="Turns: all quarter turns and mirrors; choose one beside the maps. They and shifts by whole pixels move "
        "pixels exactly. Any other angle resamples the "
        "picture (bilinear, inside a disc), which adds an error of its own.",
    )
    if mode == "angle":
        angle_deg = st.slider(
            "Angle (°)", 0, 359, 45, key="angle", bind="query-params", help="Counterclockwise, about the centre."
        )
        if angle_deg % 90:
            st.caption("Resampled: compared inside the disc.")
        return (Element(float(angle_deg)),) if angle_deg else ()
    if mode == "shift":
        columns = st.columns(2)
        help_text = "Whole pixels; vacated ones are black. A layer is compared where its stride divides the shift."
        down = columns[0].number_input("Down (px)", -64, 64, 0, key="down", bind="query-params", help=help_text)
        right = columns[1].number_input("Right (px)", -64, 64, 4, key="right", bind="query-params", help=help_text)
        return (Shift(int(down), int(right)),) if down or right else ()
    mirror = Element(mirrored=True)
    return () if mirror in elements_to_measure(network.point_group) else (mirror,)


def _further_controls() -> tuple[int, str, bool]:
    seed = st.number_input(
        "Weights: random, seed",
        0,
        9999,
        key="seed",
        bind="query-params",
        help="The network is untrained: its weights are drawn from this seed. Exactness does not depend on it.",
    )
    with st.expander("More"):
        dtype = st.segmented_control(
            "Precision",
            DTYPES,
            default=DTYPES[0],
            required=True,
            key="dtype",
            bind="query-params",
            help="float64 pushes the rounding level from 1e-6 down to 1e-15.",
        )
        pooling = st.toggle(
            "Pool the group",
            value=True,
            key="pool",
            bind="query-params",
            help="Take the largest value over the group before the classifier. Without it the logits are not "
            "invariant, even of an exactly equivariant network.",
        )
    return int(seed), str(dtype), bool(pooling)
