"""Data sets that others publish: their classes, their files with checksums, and where these are found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedFile:
    """A file as it is published: its name, its length in bytes, its SHA-256."""

    name: str
    length: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """A data set that is taken from the data folder, or fetched into it.

    places: folders in the data folder where its files are looked for; fetched ones are put into the first.
    addresses: tried in this order, each with the name of a file after it.
    content: SHA-256 of pictures and labels as `split.sha256_of` gives it, so that files packed in another way are
        known too; empty where it is not known.
    """

    title: str
    classes: tuple[str, ...]
    places: tuple[str, ...]
    addresses: tuple[str, ...]
    files: tuple[PublishedFile, ...]
    content: str = ""


# IDX files, in the order of these names: pictures and labels to train on, pictures and labels to test on.
_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _idx_files(*checksums: tuple[int, str]) -> tuple[PublishedFile, ...]:
    return tuple(PublishedFile(f"{name}.gz", *each) for name, each in zip(_IDX, checksums, strict=True))


PUBLISHED: dict[str, Published] = {
    "mnist": Published(
        title="MNIST",
        classes=tuple("0123456789"),
        places=("mnist", "MNIST/raw"),
        addresses=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        files=_idx_files(
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        content="e0130f111822ed58de3ba94ad450971c80ee446d2ff4d08e2b4c8e8be16eae50",
    ),
    "fashion-mnist": Published(
        title="Fashion-MNIST",
        classes=(
            "T-shirt",
            "trousers",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        places=("fashion-mnist", "FashionMNIST/raw"),
        addresses=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
            "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        files=_idx_files(
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        content="a06d3266794aa0147787f49603795ec5e8a32fac55270d9b4ac38d415b342e8c",
    ),
    "cifar10": Published(
        title="CIFAR-10",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        places=("cifar10", "cifar10/cifar-10-batches-bin", "cifar-10-batches-bin", ""),
        addresses=("https://www.cs.toronto.edu/~kriz/",),
        files=(
            PublishedFile(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        content="088db17c50ddf8b6d4ae26627291c330435e1f1bd0f0f70db194a685896d7abd",
    ),
}
