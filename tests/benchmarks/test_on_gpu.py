"""Runs stacked for a card: what each trains is what explorer's own loop trains, and its file is one of explorer's."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import on_gpu
from benchmarks.gpu import verdicts
from benchmarks.gpu.cases import AUTHORS_RUNS, CASES, NETWORKS, Budget, Case, recipe_of
from benchmarks.gpu.digits import PUBLISHED, Data, brought, read_digits, read_mnist
from benchmarks.gpu.networks import WAYS, Networks
from benchmarks.gpu.results import Results, session_of
from benchmarks.gpu.testing import figures_of, pictures_at_once
from benchmarks.gpu.timing import choose
from benchmarks.gpu.training import Training, drawn, train
from equivariance.measurement.rounding import ROUNDING_LEVEL
from explorer.data import datasets
from explorer.data.published import PUBLISHED as SOURCES
from explorer.data.split import Split, sha256_of
from explorer.reproduction.merging import merged
from explorer.reproduction.results import Results as Read
from explorer.reproduction.results import comparable, read_results, write_results
from explorer.reproduction.studies import BUDGETS, mnist_studies
from explorer.serving.weights import Weights, copy_weights, weights_of
from explorer.training.draws import changed, draw
from explorer.training.evaluation import evaluate
from explorer.training.fit import _batches, _optimizer, _scheduler
from explorer.training.recipe import Recipe
from models.build import build, serve
from tests.support import ROOT

CPU = torch.device("cpu")
TINY = Budget("try", "mnist-12k", epochs=2, batch_size=4, train_pictures=6, test_pictures=5)
EVERY_CASE = {case.key: case for cases in CASES.values() for case in cases}
FULL = {case.key: case for study in mnist_studies(BUDGETS["mnist"]["full"]) for case in study.cases}
DIGITS = read_digits()


def data_of(case: Case, budget: Budget = TINY, dtype: torch.dtype = torch.float64) -> Data:
    return Data.of(DIGITS, case.size_px, budget, CPU, dtype)


def recipe(case: Case, budget: Budget, seed: int) -> Recipe:
    return Recipe(**recipe_of(case, budget, seed))


# ------------------------------------------------------------------------------------------------------ what is claimed


@pytest.mark.parametrize("key", EVERY_CASE)
def test_recipes_are_those_of_the_full_grid(key: str) -> None:
    assert recipe_of(EVERY_CASE[key], Budget(), 7) == comparable(FULL[key].seeded(7).document())


def test_the_digits_that_stand_in_are_another_budget_and_another_recipe() -> None:
    options = on_gpu._options(["--data", "nowhere"])

    _, budget = on_gpu._digits(options)

    assert (budget.name, budget.data) == ("12k", "mnist-12k")
    assert recipe_of(EVERY_CASE["upright/exact-28"], budget, 0)["data"] == "mnist-12k"


@pytest.mark.parametrize("options", ["--epochs 3", "--train-pictures 9", "--test-pictures 9", "--batch-size 8"])
def test_options_that_change_a_recipe_change_the_budget(options: str) -> None:
    _, budget = on_gpu._digits(on_gpu._options(["--data", "nowhere", *options.split()]))

    assert budget.name == "try"


# ----------------------------------------------------------------------------------------------------------- the digits


@pytest.mark.parametrize("size_px", [27, 28, 29])
def test_digits_are_resized_as_explorer_resizes_them(size_px: int) -> None:
    pictures = DIGITS.train_pictures[:50]

    expected = datasets.brought(pictures, size_px=size_px, how="resize")

    assert torch.equal(brought(pictures, size_px).expand(-1, 3, -1, -1), expected)


@pytest.mark.parametrize(("place", "is_packed"), [("", False), ("mnist", True), ("MNIST/raw", False)])
def test_the_files_of_mnist_are_read_and_exchanged(place: str, is_packed: bool, tmp_path: Path) -> None:
    train, test = torch.arange(3 * 784).reshape(3, 28, 28).byte(), torch.arange(2 * 784).reshape(2, 28, 28).byte()
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in {
        "train-images-idx3-ubyte": train,
        "train-labels-idx1-ubyte": torch.tensor([1, 2, 3]).byte(),
        "t10k-images-idx3-ubyte": test,
        "t10k-labels-idx1-ubyte": torch.tensor([4, 5]).byte(),
    }.items():
        head = bytes([0, 0, 8, values.dim()]) + b"".join(side.to_bytes(4, "big") for side in values.shape)
        data = head + values.numpy().tobytes()
        if is_packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)

    digits = read_mnist(tmp_path)

    assert digits is not None
    assert digits.sha256 == sha256_of(
        Split(train[:, None], torch.tensor([1, 2, 3])), Split(test[:, None], torch.tensor([4, 5]))
    )
    assert torch.equal(digits.swapped.train_pictures[:, 0], test) and digits.swapped.test_labels.tolist() == [1, 2, 3]
    with pytest.raises(SystemExit, match="are not those published as MNIST"):
        on_gpu._digits(on_gpu._options(["--data", str(tmp_path)]))


def test_the_published_digits_are_those_that_explorer_knows() -> None:
    assert SOURCES["mnist"].content == PUBLISHED


# ------------------------------------------------------------------------------------------ training as explorer trains


@pytest.mark.parametrize("network", ["p4-cnn", "z2-cnn"])
def test_networks_begin_with_the_weights_of_explorers(network: str) -> None:
    case = Case("", network, 28, "none")

    stacked = Networks.of(case, [3, 5])

    for place, seed in enumerate((3, 5)):
        theirs = list(build(recipe(case, TINY, seed).network_spec(10), seed=seed).parameters())
        ours = [each.chunk(2)[place] for each in stacked.parameters()]
        assert len(ours) == len(theirs)
        assert sorted(map(_numbers, ours)) == sorted(map(_numbers, theirs))


def _numbers(weights: Tensor) -> list[float]:
    return weights.detach().flatten().tolist()


@pytest.mark.parametrize("study", CASES)
def test_order_and_angles_are_those_of_explorer(study: str) -> None:
    case = CASES[study][0]
    for seed, epoch in ((0, 0), (4, 7)):
        expected = draw(recipe(case, TINY, seed), pictures=11, epoch=epoch)

        order, angle_deg = drawn(case, seed, epoch, 11)

        assert torch.equal(order, expected.order)
        assert torch.equal(torch.zeros(11).double() if angle_deg is None else angle_deg, expected.angle_deg)


class Alone:
    """One network of the catalog in float64, trained batch by batch with explorer's own draws, in its own layers.

    Only the head is written out, since it is the order of the authors' that counts: the mean over space comes first.
    """

    def __init__(self, case: Case, seed: int, budget: Budget) -> None:
        self.recipe = recipe(case, budget, seed)
        self.network = build(self.recipe.network_spec(10), seed=seed).double()
        self.order = 1 if case.network == "z2-cnn" else 4

    def logits(self, pictures: Tensor) -> Tensor:
        network: Any = self.network
        features = network.pool(network.layer2(network.layer1(pictures)))
        for layer in (network.layer3, network.layer4, network.layer5, network.layer6, network.layer7):
            features = layer(features)
        means = features.mean((2, 3)).reshape(len(features), -1, self.order)
        return network.head.classifier(means.max(2).values)

    def train(self) -> list[float]:
        """The mean loss of each epoch."""
        this = self.recipe
        pictures = datasets.brought(DIGITS.train_pictures[: this.train_pictures], size_px=this.size_px, how=this.how)
        labels = DIGITS.train_labels[: this.train_pictures]
        batches = _batches(this, len(labels))
        optimizer = _optimizer(this, self.network, CPU)
        scheduler = _scheduler(this, optimizer, this.epochs * len(batches))
        assert scheduler is not None
        found = []
        for epoch in range(this.epochs):
            draws, total = draw(this, pictures=len(labels), epoch=epoch), 0.0
            for start, stop in batches:
                each = draws.at(start, stop)
                batch = changed(pictures[each.order].double(), each, this)
                loss = functional.cross_entropy(self.logits(batch), labels[each.order])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                total += float(loss.detach()) * (stop - start)
            found.append(total / sum(stop - start for start, stop in batches))
        return found


@pytest.mark.parametrize(
    ("key", "way"),
    [("upright/plain-28", "grouped"), ("uniform/approximate-27", "looped"), ("upright/exact-28", "unfolded")],
)
def test_runs_that_are_trained_at_once_are_trained_as_each_alone(key: str, way: str) -> None:
    case, seeds = EVERY_CASE[key], (0, 3)
    stack = Training(case, seeds, TINY, data_of(case), way)

    losses = torch.stack([stack.epoch(number)[0] for number in range(TINY.epochs)])  # (epochs, runs)

    for place, seed in enumerate(seeds):
        alone = Alone(case, seed, TINY)
        assert losses[:, place].tolist() == pytest.approx(alone.train(), rel=1e-8)
        theirs = weights_of(alone.network)
        ours = {name: value.chunk(2)[place] for name, value in stack.networks.state_dict().items() if value.dim()}
        for number in range(7):
            for part in ("weight", "bias"):
                assert_same(ours[f"convs.{number}.{part}"], theirs[f"layer{number + 1}.conv.{part}"])
            for part in ("weight", "bias", "running_mean", "running_var"):
                assert_same(ours[f"norms.{number}.{part}"], theirs[f"layer{number + 1}.norm.{part}"])
        for part in ("weight", "bias"):
            assert_same(ours[f"classifier.{part}"], theirs[f"head.classifier.{part}"])


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    """Beside a learning rate of 0.01: a bias before batch norm has the rounding of zero as its gradient."""
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_run_moves_the_weights_by_more_than_they_may_differ() -> None:
    case = EVERY_CASE["upright/exact-28"]
    stack = Training(case, [0], TINY, data_of(case))
    before = stack.networks.convs[2].weight.detach().clone()

    stack.epoch(0)

    assert float((stack.networks.convs[2].weight.detach() - before).abs().max()) > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_and_the_folded_network_give_the_same_logits(way: str) -> None:
    case = EVERY_CASE["upright/approximate-29"]
    stack = Training(case, [0, 1, 2], TINY, data_of(case))
    stack.epoch(0)
    pictures = stack.data.test_pictures

    with torch.no_grad():
        expected = stack.networks.eval()(pictures)
        found = stack.networks.folded(way)(pictures)
        apart = stack.networks(pictures.expand(-1, 3, -1, -1), way)

    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(apart, expected, rtol=1e-9, atol=1e-9)


# -------------------------------------------------------------------------------------------------------------- testing


@pytest.mark.parametrize(
    ("key", "is_exact"), [("exact-28", True), ("approximate-27", False), ("approximate-29", False)]
)
def test_networks_are_exact_at_the_even_side_alone(key: str, is_exact: bool) -> None:
    case = EVERY_CASE[f"upright/{key}"]
    stack = Training(case, [0, 1], TINY, data_of(case))
    stack.epoch(0)

    errors = figures_of(stack.networks, stack.data, with_angles=False, at_once=5).errors

    if is_exact:
        assert float(errors.max()) <= ROUNDING_LEVEL["float64"]
    else:
        assert float(errors.min()) > 1e-3


def test_figures_of_the_plain_network_are_those_of_explorers_evaluation() -> None:
    case = EVERY_CASE["upright/plain-28"]
    data = data_of(case, dtype=torch.float32)
    found = figures_of(Networks.of(case, [0, 1]), data, with_angles=True, at_once=4)

    for place, seed in enumerate((0, 1)):
        spec = recipe(case, TINY, seed).network_spec(10)
        weights = Weights("", weights_of(build(spec, seed=seed)))
        plain = serve(spec, prepare=lambda network, weights=weights: copy_weights(network, weights)).float()
        test = Split(DIGITS.test_pictures[:5], DIGITS.test_labels[:5])
        expected = evaluate(plain, spec, test, recipe(case, TINY, seed), with_angles=True)
        accuracy = {name: float(each[place]) for name, each in found.accuracy.items()}

        assert {name: accuracy[name] for name in expected.accuracy} == expected.accuracy
        assert tuple(accuracy[f"rot{angle}" if angle else "identity"] for angle in range(0, 360, 10)) == expected.angles
        assert float(found.loss[place]) == pytest.approx(expected.loss, rel=1e-5)
        assert float(found.agreement[place]) == expected.agreement
        assert float(found.errors[place]) == pytest.approx(expected.errors["logits"], rel=1e-3)


def test_right_answers_are_counted_for_each_network() -> None:
    """Labels are the answers of one of the networks, to digits as they are and to turned ones."""
    case = EVERY_CASE["upright/approximate-27"]
    data, alone = data_of(case), Alone(case, 1, TINY)
    alone.network.eval()
    with torch.no_grad():
        answers = [
            alone.logits(torch.rot90(data.test_pictures, quarters, (2, 3)).expand(-1, 3, -1, -1)).argmax(1)
            for quarters in range(4)
        ]
    labels = answers[0].clone()
    labels[:2] = (labels[:2] + 1) % 10  # two that are wrong

    found = figures_of(
        Networks.of(case, [0, 1]).double(), replace(data, test_labels=labels), with_angles=False, at_once=4
    )

    assert float(found.accuracy["identity"][1]) == pytest.approx(3 / 5)
    for name, answer in zip(("rot90", "rot180", "rot270"), answers[1:], strict=True):
        assert float(found.accuracy[name][1]) == pytest.approx(float((answer == labels).double().mean()))
    same = (torch.stack(answers) == answers[0]).all(0)
    assert float(found.agreement[1]) == pytest.approx(float(same.double().mean()))


@pytest.mark.parametrize(("copies", "expected"), [(1, 2000), (8, 2000), (16, 1000), (100, 100), (1000, 50)])
def test_a_pass_of_many_networks_has_fewer_pictures(copies: int, expected: int) -> None:
    assert pictures_at_once(28, copies) == expected


# ----------------------------------------------------------------------------------------------------- the results file


def run_of(case: Case, budget: Budget, seed: int, share: float = 0.5) -> dict[str, Any]:
    """A run as `train` gives it, without the training."""
    final = {
        "epoch": budget.epochs,
        "step": 1600,
        "train_loss": 0.1,
        "train_accuracy": 0.9,
        "test_loss": 0.2,
        "accuracy": dict.fromkeys(("identity", "rot90", "rot180", "rot270", "mirror"), share),
        "angles": [share] * 36,
        "agreement": 0.5,
        "errors": {"logits": 0.1},
        "pictures_per_s": 10.0,
        "elapsed_s": 1.0,
    }
    curve = [(budget.epochs, share, share)]
    return {"seed": seed, "recipe": recipe_of(case, budget, seed), "first": None, "final": final, "curve": curve}


def test_the_file_is_one_of_explorers(tmp_path: Path) -> None:
    session = session_of(["--seconds", "9", "--to", "a place", "--data=b"], CPU)
    ours = Results(tmp_path / "ours.json", Budget())
    for key in ("upright/exact-28", "uniform/plain-28"):
        ours.add(EVERY_CASE[key], {seed: run_of(EVERY_CASE[key], Budget(), seed) for seed in (1, 0)}, session)

    read = read_results(tmp_path / "ours.json", "mnist")

    assert read is not None and read.budget == "full"
    assert read.sessions[0].command == "python benchmarks/on_gpu.py --seconds 9"
    assert read.percents("uniform/plain-28", "angles") == pytest.approx((50.0, 50.0))
    write_results(read, tmp_path / "theirs.json")
    assert (tmp_path / "theirs.json").read_bytes() == (tmp_path / "ours.json").read_bytes()


def test_what_is_written_is_continued_and_merged(tmp_path: Path) -> None:
    case = EVERY_CASE["upright/exact-28"]
    first, second = (session_of([word], CPU) for word in ("--seeds=1", "--seeds=2"))
    Results(tmp_path / "runs.json", Budget()).add(case, {0: run_of(case, Budget(), 0)}, first)
    again = Results(tmp_path / "runs.json", Budget())

    again.add(case, {1: run_of(case, Budget(), 1)}, second)

    assert again.has(case, 0) and again.has(case, 1) and not again.has(case, 2)
    assert not again.has(EVERY_CASE["upright/plain-28"], 0)
    read = read_results(tmp_path / "runs.json", "mnist")
    assert read is not None
    found = merged(Read("mnist", "full"), read, FULL.values(), source="runs.json")
    assert (found.added, found.known) == (2, 0)
    assert [run.session for run in found.results.cases[case.key].values()] == [0, 1]


def test_runs_of_another_recipe_are_never_continued(tmp_path: Path) -> None:
    case = EVERY_CASE["upright/exact-28"]
    path = tmp_path / "runs.json"
    Results(path, Budget()).add(case, {0: run_of(case, Budget(), 0)}, session_of([], CPU))

    with pytest.raises(SystemExit, match="name another file"):
        Results(path, replace(Budget(), epochs=3))
    with pytest.raises(SystemExit, match="holds results of"):
        Results(path, replace(Budget(), name="12k"))
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="is no results file"):
        Results(path, Budget())


def test_a_run_whose_loss_is_not_finite_is_left_out() -> None:
    case = EVERY_CASE["upright/plain-28"]
    budget = replace(TINY, epochs=1, test_pictures=2)
    training = Training(case, [0, 1], budget, data_of(case, budget))
    with torch.no_grad():
        training.networks.classifier.bias[0] = torch.nan  # of the first

    assert list(train(training)) == [1]


# ------------------------------------------------------------------------------------------------------------ the whole


def test_seeds_are_the_outer_loop_and_stop_where_there_is_no_time(tmp_path: Path) -> None:
    results = Results(tmp_path / "runs.json", Budget())
    left = iter([2, 1, 0])
    case = EVERY_CASE["upright/approximate-27"]
    results.add(case, {0: run_of(case, Budget(), 0)}, session_of([], CPU))

    found = [(case.key, seeds) for case, seeds in on_gpu.groups_of(results, ["upright"], 5, lambda study: next(left))]

    keys = [f"upright/{key}" for key in NETWORKS]
    assert found == [(key, [1] if key == case.key else [0, 1]) for key in keys] + [(key, [2]) for key in keys]


def test_no_more_runs_are_trained_than_the_authors_have(tmp_path: Path) -> None:
    results = Results(tmp_path / "runs.json", Budget())

    found = list(on_gpu.groups_of(results, list(CASES), 100, lambda study: 100))

    assert [(case.key.split("/")[0], len(seeds)) for case, seeds in found[::4]] == list(AUTHORS_RUNS.items())


@pytest.fixture
def backends() -> Iterator[None]:
    """What `main` sets for the process is put back."""
    names = [(torch.backends.cudnn, "benchmark"), (torch.backends.cudnn, "allow_tf32")]
    names.append((torch.backends.cuda.matmul, "allow_tf32"))
    before = [getattr(owner, name) for owner, name in names]
    yield
    for (owner, name), value in zip(names, before, strict=True):
        setattr(owner, name, value)


@pytest.mark.usefixtures("backends")
def test_the_command_trains_and_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--device cpu --epochs 1 --train-pictures 6 --test-pictures 3 --batch-size 3 --studies upright --at-once 2"
    )
    options += f" --skip check,time --ways grouped --data {tmp_path} --to {tmp_path / 'runs.json'}"

    def seeds_after(count: int) -> dict[str, list[int]]:
        assert on_gpu.main([*options.split(), "--seeds", str(count)]) == 0
        document = json.loads((tmp_path / "runs.json").read_text(encoding="utf-8"))
        return {key: [run["seed"] for run in runs] for key, runs in document["cases"].items()}

    assert seeds_after(1) == {f"upright/{key}": [0] for key in NETWORKS}
    said = capsys.readouterr()
    assert "NOT the full budget" in said.err and said.out.count(" s a run") == 4
    assert seeds_after(2) == {f"upright/{key}": [0, 1] for key in NETWORKS}
    assert capsys.readouterr().out.count("seeds 1-1") == 4
    read = read_results(tmp_path / "runs.json", "mnist")
    assert read is not None and read.budget == "try" and len(read.sessions) == 2


def test_it_runs_from_anywhere_without_explorer_models_and_escnn(tmp_path: Path) -> None:
    code = (  # importing what stands for None fails
        "import runpy, sys\n"
        "sys.modules.update(dict.fromkeys(('explorer', 'models', 'escnn', 'streamlit', 'PIL')))\n"
        "path = sys.argv[1]; sys.argv = [path, '--help']\n"
        "runpy.run_path(path, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "benchmarks" / "on_gpu.py")],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0 and "--at-once" in done.stdout, done.stderr


# -------------------------------------------------------------------------------------------------- verdicts and timing


@pytest.mark.parametrize(
    ("name", "side_px", "verdict"),
    [
        ("p4 cnn", 28, "exact"),
        ("p4m cnn", 29, "approximate"),
        ("p4 resnet", 33, "exact"),
        ("p4 resnet", 35, "approximate"),
        ("symmetric resnet", 33, "exact"),
        ("symmetric resnet", 32, "approximate"),
        ("plain cnn", 28, "not equivariant"),
    ],
)
def test_networks_that_are_compared_have_the_verdicts_of_theory(name: str, side_px: int, verdict: str) -> None:
    seen = verdicts.measured(verdicts.network_of(name), verdicts.CHECKED[name][1], side_px, "float64", CPU)

    assert seen.verdict == verdict
    assert (seen.broken == ()) == (seen.broken_as_measured == ()) == (verdict == "exact")


def test_a_device_with_other_verdicts_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdicts.compare(CPU, ["p4 cnn"]) == 0 and "DIFFERS" not in capsys.readouterr().out
    original, calls = verdicts.measured, []

    def rounded(network: nn.Module, *rest: Any) -> verdicts.Seen:
        """Every second time, as a card whose products keep ten bits would see it."""
        calls.append(rest)
        seen = original(network, *rest)
        if len(calls) % 2:
            return seen
        return replace(seen, errors={name: error + 5e-4 for name, error in seen.errors.items()})

    monkeypatch.setattr(verdicts, "measured", rounded)

    assert verdicts.compare(CPU, ["p4 cnn"]) == 4
    assert "error of output rot90" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes", [{"verdict": "exact"}, {"elements": {}}, {"broken": ()}, {"broken_as_measured": ()}, {"errors": {}}]
)
def test_any_difference_is_named(changes: dict[str, Any]) -> None:
    seen = verdicts.Seen("approximate", {"rot90": "broken"}, ("pool",), ("pool",), {"output rot90": 0.03})

    assert verdicts.differences(seen, seen, "float64") == []
    assert len(verdicts.differences(seen, replace(seen, **changes), "float64")) == 1


def test_the_smallest_stack_that_is_quick_enough_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {("grouped", 4): 0.9, ("grouped", 8): 1.0, ("looped", 4): 0.5, ("looped", 8): 0.98, ("looped", 16): 1.95}

    def step_s(case: Case, count: int, way: str, *rest: Any) -> float:
        if (way, count) not in seconds:
            raise RuntimeError("out of memory")
        return seconds[way, count]

    monkeypatch.setattr("benchmarks.gpu.timing._step_s", step_s)
    monkeypatch.setattr("benchmarks.gpu.timing._pass_s", lambda networks, pictures, way, device: len(way) / 100)

    case = EVERY_CASE["upright/exact-28"]
    found = choose(data_of(case, dtype=torch.float32), TINY, CPU, [4, 8, 16], ["grouped", "looped"])

    assert (found.train_way, found.test_way, found.at_once) == ("looped", "looped", 4)
    trained_s = 2 * 6 * 0.5 / (4 * 4)  # epochs, pictures, seconds of a step with so many pictures
    tested_s = 37 * 5 * 0.06 / (4 * 5)  # transforms, pictures, seconds of a pass with so many pictures
    assert found.seconds_of_run == pytest.approx(trained_s + tested_s)
