"""What was tried against the gap between our runs and the authors': the file, and what the benchmark changes."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gap as benchmark
from explorer.errors import ResultsError
from explorer.reproduction.gap import WAYS, Gap, GapRun, read_gap, write_gap
from explorer.reproduction.results import Session
from explorer.training import fit
from models.build import build
from models.catalog import spec

SESSION = Session("a command", "2025-01-31", "one core", {})


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    gap = Gap((), ()).with_run(GapRun("unpadded", 0, 98.5, 93.5), SESSION)

    write_gap(gap, tmp_path / "gap.json")

    assert read_gap(tmp_path / "gap.json") == gap
    assert read_gap(tmp_path / "none.json") is None


def test_a_file_without_its_runs_is_one_sentence(tmp_path: Path) -> None:
    write_gap(Gap((), ()), tmp_path / "gap.json")
    document = json.loads((tmp_path / "gap.json").read_text(encoding="utf-8"))
    (tmp_path / "gap.json").write_text(json.dumps({**document, "runs": [{"way": "unpadded"}]}), encoding="utf-8")

    with pytest.raises(ResultsError, match=r"or is damaged: remove it and run python -m benchmarks\.gap\.$"):
        read_gap(tmp_path / "gap.json")


@pytest.mark.parametrize("way", WAYS)
def test_each_way_changes_what_it_says_and_nothing_afterwards(way: str) -> None:
    picture = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)

    def seen() -> tuple[int, int, float]:
        """Padded convolutions, dropouts, and the grey of black pixels."""
        modules = list(build(spec("p4-cnn")).modules())
        padded = sum(bool(getattr(module, "padding", 0)) for module in modules)
        dropouts = sum(isinstance(module, torch.nn.Dropout) for module in modules)
        return padded, dropouts, float(fit.brought(picture, size_px=29, how="resize").max())

    before = seen()
    with benchmark._WAYS[way].changed():
        changed = seen()

    expected = {"unpadded": (0, 0, 0.0), "standardised": (6, 0, -benchmark.MEAN_GREY), "dropout": (6, 4, 0.0)}
    assert before == seen() == (6, 0, 0.0)
    assert changed == pytest.approx(expected.get(way, before))


def test_seeds_that_are_there_are_not_trained_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gap(Gap((), ()).with_run(GapRun("unpadded", 0, 98.5, 93.5), SESSION), tmp_path / "gap.json")
    monkeypatch.setattr(benchmark, "_trained", lambda way, seed: GapRun(way, seed, 90.0, 80.0))

    benchmark.main(["--only", "unpadded", "--seeds", "2", "--to", str(tmp_path / "gap.json")])

    assert [line.split()[3:5] for line in capsys.readouterr().out.splitlines()] == [["98.5", "93.5"], ["90.0", "80.0"]]
    found = read_gap(tmp_path / "gap.json")
    assert found is not None and [run.seed for run in found.runs] == [0, 1]
