"""The words of the project and the papers it rests on, as the About page shows them; the README says the same."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word and what it means, in Markdown."""

    word: str
    meaning: str


@dataclass(frozen=True)
class Source:
    """A paper: its authors, its title, where and when it appeared, and its number on arXiv."""

    authors: str
    title: str
    where: str
    arxiv: str

    @property
    def markdown(self) -> str:
        """The paper in one line, with its link."""
        link = f"[arXiv {self.arxiv}](https://arxiv.org/abs/{self.arxiv})"
        return f"{self.authors}, *{self.title}*, {self.where}, {link}"


TERMS = (
    Term(
        "group",
        "the set of transforms that a network is built for: Z2 shifts only, C4 quarter turns, D4 also mirrors, C8 "
        "and D8 eighth turns, SO(2) all turns",
    ),
    Term("element", "one transform of a group; `mirror_rot90` mirrors left-right, then turns by 90° counterclockwise"),
    Term("orbit", "a picture with all its transforms"),
    Term(
        "field",
        "the channels of a layer that belong together: regular (one channel per element), scalar (one "
        "channel), irreps (frequencies)",
    ),
    Term("p4, p4m", "C4 and D4 with full filters: every k×k weight free, copies turned (Cohen and Welling 2016)"),
    Term("steerable", "smooth, band-limited filters that turn by any angle of the group (Weiler and Cesa 2019)"),
    Term("subsampling", "keeping fewer pixels: strides and pools"),
    Term("remainder", "pixels, padding included, that no window of a layer reaches"),
    Term(
        "displacement",
        "how far the centre of a layer's sampling grid lies from the centre of its input: δ = (padding after "
        "− padding before − remainder) / 2",
    ),
    Term(
        "error",
        "‖Φ(g·x) − ρ(g)Φ(x)‖ / ‖Φ(x)‖: inherited, for all layers up to this one; own, for this layer alone on "
        "the upright picture's features; of the logits ‖f(g·x) − f(x)‖ / ‖f(x) − mean f(x)‖, so that a constant in all "
        "of them cannot make it small",
    ),
    Term(
        "exact",
        "all errors are rounding, for every setting of the weights; else approximate, or not equivariant if the "
        "weights themselves are not",
    ),
    Term("verdict", "exact, approximate or not equivariant: theory's word, confirmed by measurement"),
    Term("surviving element", "an element of the group under which the network is exact at a size, H and W apart"),
    Term(
        "mended",
        "changed to symmetric subsampling: windows are centred on each input, so that every size is exact, with the "
        "same weights and feature sizes",
    ),
    Term("BlurPool", "a low-pass filter before subsampling (Zhang 2019): less aliasing"),
    Term(
        "unseen turns",
        "90°, 180° and 270°, for a network trained on upright pictures; their accuracy is the mean of the three",
    ),
    Term("agreement", "the share of pictures that get the same answer, right or wrong, at all four quarter turns"),
)

SOURCES = (
    Source(
        "T. Edixhoven, A. Lengyel, J. van Gemert",
        "Using and Abusing Equivariance",
        "ICCV Workshops 2023",
        "2308.11316",
    ),
    Source("T. Cohen, M. Welling", "Group Equivariant Convolutional Networks", "ICML 2016", "1602.07576"),
    Source("M. Weiler, G. Cesa", "General E(2)-Equivariant Steerable CNNs", "NeurIPS 2019", "1911.08251"),
    Source("R. Zhang", "Making Convolutional Networks Shift-Invariant Again", "ICML 2019", "1904.11486"),
    Source(
        "M. Mohamed, G. Cesa, T. Cohen, M. Welling",
        "A Data and Compute Efficient Design for Limited-Resources Deep Learning",
        "2020",
        "2004.09691",
    ),
)
