"""Data sets: each file form is read as it is meant, what is wrong is one sentence, nothing is half-written."""

import errno
import gzip
import hashlib
import io
import re
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch

from explorer.data import datasets
from explorer.data.datasets import Dataset, bytes_to_fetch, head, load, title_of
from explorer.data.known import DATA, KNOWN, Known
from explorer.data.published import PUBLISHED, PublishedFile
from explorer.data.split import Split, sha256_of
from explorer.errors import DataError
from tests.support.file_parts import Pixels

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
ONE_SENTENCE = re.compile(r"[^.\n]((?!\. )[^\n])+\.")


def digits(count: int, seed: int) -> tuple[Pixels, Pixels]:
    """Pictures (N, 28, 28) and labels (N,), drawn."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return pictures, generator.integers(0, 10, count, dtype=np.uint8)


TRAIN, TEST = digits(12, 1), digits(5, 2)


def idx(values: Pixels) -> bytes:
    """The IDX file of unsigned bytes: 0, 0, type 8, number of axes; each axis in 4 bytes, the largest first; values."""
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def idx_files() -> dict[str, bytes]:
    return dict(zip(IDX, map(idx, (*TRAIN, *TEST)), strict=True))


def cifar_files() -> dict[str, bytes]:
    """Six files of 3 pictures; of file i, picture j has the label i and red j, green 100 + i, blue 200 in row 1."""
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    files = {}
    for number, name in enumerate(names):
        records = np.zeros((3, 1 + 3 * 32 * 32), dtype=np.uint8)
        records[:, 0] = number
        records[:, 1 : 1 + 1024] = np.arange(3)[:, None]
        records[:, 1 + 1024 : 1 + 2048] = 100 + number
        records[:, 1 + 2048 + 32 : 1 + 2048 + 64] = 200
        files[name] = records.tobytes()
    return files


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.TarFile(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_is_tiny_mnist(dataset: Dataset) -> None:
    for split, (pictures, labels) in ((dataset.train, TRAIN), (dataset.test, TEST)):
        assert np.array_equal(split.pictures[:, 0].numpy(), pictures)
        assert np.array_equal(split.labels.numpy(), labels)


def refusal(name: str, folder: Path) -> str:
    """The one sentence with which a data set is refused."""
    with pytest.raises(DataError) as caught:
        load(name, folder=folder)
    assert ONE_SENTENCE.fullmatch(str(caught.value)), str(caught.value)
    return str(caught.value)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_KEPT", datasets._kept(datasets.KEPT_BYTES))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    server.server_close()
    thread.join()


def publish(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> dict[str, bytes]:
    """Have MNIST published at the addresses, as the tiny files that are returned."""
    files = {f"{name}.gz": gzip.compress(data) for name, data in idx_files().items()}
    published = tuple(PublishedFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items())
    tiny = replace(PUBLISHED["mnist"], addresses=addresses, files=published, content="")
    monkeypatch.setitem(PUBLISHED, "mnist", tiny)
    return files


def test_the_digits_that_come_with_the_project_are_the_first_of_mnist(tmp_path: Path) -> None:
    dataset = load("mnist-12k", folder=tmp_path)
    assert dataset.train.pictures.shape == (10_000, 1, 28, 28) and dataset.test.pictures.shape == (2_000, 1, 28, 28)
    assert KNOWN["mnist-12k"] == Known("digits of MNIST", 10_000, 2_000, 28)
    assert dataset.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as every tutorial shows them
    assert dataset.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert dataset.train.pictures[0, 0, 5, 12:16].tolist() == [3, 18, 18, 18]
    assert dataset.classes == tuple("0123456789") and dataset.notes == ()
    assert bytes_to_fetch("mnist-12k", folder=tmp_path) == 0


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw"])
@pytest.mark.parametrize("form", ["plain", "dotted", "gzipped", "dotted and gzipped"])
def test_idx_files_are_read_in_each_of_their_forms(tmp_path: Path, place: str, form: str) -> None:
    files = idx_files()
    if "dotted" in form:
        files = {name.replace("-idx", ".idx"): data for name, data in files.items()}
    if "gzipped" in form:
        files = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
    write(tmp_path / place, files)
    dataset = load("mnist", folder=tmp_path)
    assert_is_tiny_mnist(dataset)
    assert dataset.notes == ("These are not the pictures published as MNIST: 12 to train on, 5 to test on.",)
    assert bytes_to_fetch("mnist", folder=tmp_path) == 0


@pytest.mark.parametrize("form", ["files", "folder", "archive"])
def test_cifar_is_read_plane_by_plane_from_files_and_from_the_archive(tmp_path: Path, form: str) -> None:
    if form == "archive":
        write(tmp_path / "cifar10", {"cifar-10-binary.tar.gz": archive(cifar_files())})
    else:
        write(tmp_path / ("cifar10" if form == "files" else "cifar-10-batches-bin"), cifar_files())
    dataset = load("cifar10", folder=tmp_path)
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert dataset.test.labels.tolist() == [5, 5, 5]
    assert dataset.train.pictures.shape == (15, 3, 32, 32)
    assert dataset.train.pictures[7, :, 0, 5].tolist() == [1, 102, 0]
    assert dataset.train.pictures[7, :, 1, 5].tolist() == [1, 102, 200]
    assert dataset.classes[5] == "dog"
    assert files_in(tmp_path) in (["cifar-10-binary.tar.gz"], sorted(cifar_files()))  # nothing is unpacked


def changed_idx(change: Callable[[dict[str, bytes]], None]) -> dict[str, bytes]:
    files = idx_files()
    change(files)
    return files


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.update({IDX[0]: files[IDX[1]]}), "is not an IDX file of pictures"),
        (
            lambda files: files.update({IDX[0]: b"\x00\x00\x08\x03\xff\xff\xff\xff" + files[IDX[0]][8:]}),
            "is not an IDX file",
        ),
        (lambda files: files.update({IDX[0]: idx(TRAIN[0][:, :27])}), "is not an IDX file of pictures of 28 × 28 px"),
        (lambda files: files.update({IDX[1]: b""}), "is not an IDX file of labels"),
        (lambda files: files.update({IDX[0]: files[IDX[0]][:-1]}), "holds 9,407 bytes, but its header says 9,408"),
        (lambda files: files.update({IDX[0]: files[IDX[0]] + b"x"}), "holds more bytes"),
        (
            lambda files: files.update({IDX[1]: idx(TRAIN[1][:-1])}),
            "has 12 pictures and 'train-labels-idx1-ubyte' 11 labels",
        ),
        (lambda files: files.update({IDX[3]: idx(TEST[1] + 6)}), "there are 10 classes"),
        (lambda files: files.update({f"{IDX[2]}.gz": gzip.compress(files.pop(IDX[2]))[:-100]}), "cut short"),
        (
            lambda files: files.update({f"{IDX[2]}.gz": files.pop(IDX[2])}),
            "is damaged or cut short (Not a gzipped file",
        ),
    ],
)
def test_an_idx_file_that_is_not_what_it_should_be_is_told_in_one_sentence(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    write(tmp_path / "mnist", changed_idx(change))
    sentence = refusal("mnist", tmp_path)
    assert said in sentence and str(tmp_path / "mnist") in sentence


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (cifar_files() | {"data_batch_2.bin": b"x" * 3074}, "data_batch_2.bin' has 3,074 bytes"),
        (cifar_files() | {"test_batch.bin": b""}, "test_batch.bin' has 0 bytes"),
        (cifar_files() | {"data_batch_4.bin": b"\x0a" + b"\x00" * 3072}, "has the label 10, but there are 10 classes"),
        ({"cifar-10-binary.tar.gz": archive(cifar_files())[:-500]}, "damaged or cut short"),
        ({"cifar-10-binary.tar.gz": b"<html>not found</html>"}, "damaged or cut short"),
        ({"cifar-10-binary.tar.gz": archive({"data_batch_1.bin": b"\x00" * 3073})}, "lacks data_batch_2.bin"),
    ],
)
def test_a_cifar_file_that_is_not_what_it_should_be_is_told_in_one_sentence(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    write(tmp_path / "cifar10", files)
    assert said in refusal("cifar10", tmp_path)


def test_files_of_another_published_set_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mnist", idx_files())
    content = load("mnist", folder=tmp_path).sha256
    monkeypatch.setitem(PUBLISHED, "fashion-mnist", replace(PUBLISHED["fashion-mnist"], content=content))
    monkeypatch.setattr(datasets, "_KEPT", datasets._kept(0))
    assert "are those of Fashion-MNIST" in refusal("mnist", tmp_path)


def test_missing_files_are_fetched_kept_and_not_fetched_again(
    tmp_path: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, there = served
    files = publish(monkeypatch, f"{address}nowhere/", address)  # the first address answers 404
    write(there, files)
    here = tmp_path / "data"
    write(here / "mnist", {IDX[1]: idx_files()[IDX[1]]})
    assert bytes_to_fetch("mnist", folder=here) == sum(map(len, files.values())) - len(files[f"{IDX[1]}.gz"])

    told: list[tuple[float, str]] = []
    dataset = load("mnist", folder=here, progress=lambda fraction, sentence: told.append((fraction, sentence)))
    assert_is_tiny_mnist(dataset)
    assert dataset.notes == ()
    fetching = [fraction for fraction, sentence in told if sentence.startswith("Fetching MNIST")]
    assert fetching == sorted(fetching) and fetching[-1] == 1 and told[-1] == (0.0, "Reading MNIST")
    assert files_in(here) == sorted([IDX[1], *(f"{name}.gz" for name in IDX if name != IDX[1])])

    for path in there.iterdir():
        path.unlink()
    monkeypatch.setattr(datasets, "_KEPT", datasets._kept(0))
    assert load("mnist", folder=here).sha256 == dataset.sha256


@pytest.mark.parametrize(
    "given", [b"<html>Please log in</html>", b"x" * 500_000], ids=["another file", "one far too long"]
)
def test_a_file_with_another_checksum_is_refused_and_not_kept(
    tmp_path: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, given: bytes
) -> None:
    address, there = served
    write(there, publish(monkeypatch, address) | {f"{IDX[0]}.gz": given})
    sentence = refusal("mnist", tmp_path / "data")
    assert "does not have the published SHA-256" in sentence and f"{IDX[0]}.gz" in sentence and "put " in sentence
    assert files_in(tmp_path / "data") == []


def test_without_a_network_the_sentence_says_which_files_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.server_close()  # nobody listens at its port any more
    files = publish(monkeypatch, f"http://127.0.0.1:{server.server_port}/")
    sentence = refusal("mnist", tmp_path)
    assert sentence.startswith(
        f"MNIST is not in '{tmp_path / 'mnist'}' and could not be fetched (127.0.0.1 did not answer)"
    )
    assert all(name in sentence for name in files)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "is full"), (errno.EROFS, "cannot be written"), (errno.EACCES, "cannot be written")],
)
def test_a_disk_that_takes_no_more_is_told_in_one_sentence_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def half(self: object, url: str, output_file: str, pooch: object) -> None:
        Path(output_file).write_bytes(b"half")
        raise OSError(number, "as the system says it")

    publish(monkeypatch, "http://127.0.0.1:1/")
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", half)
    sentence = refusal("mnist", tmp_path)
    assert said in sentence and "EXPLORER_DATA_FOLDER" in sentence
    assert files_in(tmp_path) == []


def test_a_file_in_place_of_the_data_folder_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"no folder")
    assert str(tmp_path / "data") in refusal("mnist", tmp_path / "data")


def test_who_stops_a_download_finds_nothing_half_written(
    tmp_path: Path, served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):  # noqa: N818 - as callers stop
        pass

    def stop(fraction: float, sentence: str) -> None:
        raise Stop

    address, there = served
    write(there, publish(monkeypatch, address))
    with pytest.raises(Stop):
        load("mnist", folder=tmp_path / "data", progress=stop)
    assert files_in(tmp_path / "data") == []
    assert_is_tiny_mnist(load("mnist", folder=tmp_path / "data"))


def test_swapped_mnist_trains_on_what_mnist_tests_on(tmp_path: Path) -> None:
    write(tmp_path / "mnist", idx_files())
    mnist, swapped = load("mnist", folder=tmp_path), load("mnist-swapped", folder=tmp_path)
    assert torch.equal(swapped.train.pictures, mnist.test.pictures) and len(swapped.train) == 5
    assert torch.equal(swapped.test.labels, mnist.train.labels) and len(swapped.test) == 12
    assert swapped.sha256 != mnist.sha256 and "5 digits to train on, 12 to test on" in swapped.notes[-1]


def test_head_takes_the_first_pictures_and_zero_takes_all(tmp_path: Path) -> None:
    dataset = load("mnist-12k", folder=tmp_path)
    part = head(dataset, 100, 0)
    assert torch.equal(part.train.pictures, dataset.train.pictures[:100])
    assert (len(part.train), len(part.test), len(head(dataset, 20_000, 3).train)) == (100, 2_000, 10_000)


def test_every_data_set_of_recipes_has_a_title_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    assert all(title_of(name) != name for name in DATA) and set(DATA) == set(KNOWN)
    assert title_of("folder:/somewhere/cells") == "cells"
    assert "'minst'" in refusal("minst", tmp_path) and "mnist-12k" in refusal("minst", tmp_path)


def test_a_data_set_is_read_once_however_many_ask_at_the_same_time(tmp_path: Path) -> None:
    write(tmp_path / "mnist", idx_files())
    read: list[str] = []
    answers: list[Dataset] = []

    def ask() -> None:
        answers.append(load("mnist", folder=tmp_path, progress=lambda fraction, sentence: read.append(sentence)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8 and all(each is answers[0] for each in answers) and read == ["Reading MNIST"]


def test_what_is_kept_is_bounded_by_its_bytes_and_the_latest_always_stays() -> None:
    def make(name: str) -> Dataset:
        split = Split(torch.zeros(10, 1, 10, 10, dtype=torch.uint8), torch.zeros(10, dtype=torch.int64))
        return Dataset(name, name, ("0",), split, split, (), "")

    kept = datasets._kept(5_000)  # two of 2 × 1,080 bytes each
    first = kept.get_once("a", lambda: make("a"))
    assert kept.get_once("b", lambda: make("b")) and kept.get_once("a", lambda: make("never")) is first
    assert kept.get_once("c", lambda: make("c")).name == "c"
    assert kept.get_once("a", lambda: make("never")) is first, "b was used before it, and goes first"
    assert kept.get_once("b", lambda: make("b anew")).name == "b anew"
    tiny = datasets._kept(1)
    assert tiny.get_once("a", lambda: first) is tiny.get_once("a", lambda: make("never"))


def test_the_checksum_tells_a_pixel_a_label_and_the_two_splits_apart() -> None:
    def split(pixel: int = 0, label: int = 0) -> Split:
        pictures = torch.zeros(2, 1, 3, 3, dtype=torch.uint8)
        pictures[1, 0, 2, 2] = pixel
        return Split(pictures, torch.tensor([0, label]))

    pairs = [(split(), split()), (split(1), split()), (split(0, 1), split()), (split(), split(1))]
    assert len({sha256_of(*pair) for pair in pairs}) == 4 and sha256_of(split(), split()) == sha256_of(split(), split())
