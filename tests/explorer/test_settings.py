"""Settings: the defaults, each variable, one sentence for each value that is not accepted, and the README's table."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from explorer.errors import SettingError
from explorer.settings import (
    DEVICES,
    FOR_TESTS,
    STREAMLIT_OPTIONS,
    FreeText,
    Settings,
    check_streamlit,
    key_of,
    masked,
    settings_from,
    unknown_variables,
)
from tests.support import ROOT

WHOLE_NUMBERS = {
    "max_size_px": (16, 4096),
    "concurrent_measurements": (1, 64),
    "network_cache_mb": (64, 1_048_576),
    "memory_mb": (0, 1_048_576),
    "workers": (1, 64),
    "max_runs": (1, 1000),
    "max_epochs": (1, 10_000),
    "max_steps": (1, 100_000_000),
    "max_training_px": (8, 1024),
    "runs_disk_mb": (64, 1_048_576),
}
WORDS = {"device": DEVICES, "training": ("on", "off")}
FREE_TEXTS = ("database", "runs_folder", "data_folder")


def message(environment: dict[str, str]) -> str:
    with pytest.raises(SettingError) as caught:
        settings_from(environment)
    return str(caught.value)


def test_empty_environment_gives_the_defaults() -> None:
    expected = Settings(
        device="auto",
        max_size_px=512,
        concurrent_measurements=2,
        network_cache_mb=1024,
        memory_mb=0,
        training="on",
        database="",
        runs_folder="",
        data_folder="",
        workers=1,
        max_runs=20,
        max_epochs=200,
        max_steps=100_000,
        max_training_px=64,
        runs_disk_mb=2048,
    )
    assert settings_from({}) == expected == Settings()


def test_other_variables_are_left_alone() -> None:
    assert settings_from({"DEVICE": "tpu", "EXPLORER_COLOUR": "red"}) == Settings()


def test_every_field_is_tested_here() -> None:
    assert set(Settings.__dataclass_fields__) == {*WORDS, *WHOLE_NUMBERS, *FREE_TEXTS}


@pytest.mark.parametrize(("field", "word"), [(field, word) for field in WORDS for word in WORDS[field]])
def test_word_is_read(field: str, word: str) -> None:
    assert settings_from({key_of(field): word}) == Settings(**{field: word})


@pytest.mark.parametrize("field", WHOLE_NUMBERS)
@pytest.mark.parametrize("end", [0, 1], ids=["smallest", "largest"])
def test_whole_number_is_read_up_to_both_ends(field: str, end: int) -> None:
    value = WHOLE_NUMBERS[field][end]
    assert settings_from({key_of(field): str(value)}) == Settings(**{field: value})


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_MAX_SIZE_PX", "77")
    assert settings_from().max_size_px == 77


@pytest.mark.parametrize("device", ["gpu", "CPU", "", "cuda:0"])
def test_unknown_device_names_key_value_and_choices(device: str) -> None:
    assert message({"EXPLORER_DEVICE": device}) == f"EXPLORER_DEVICE is {device!r}: use one of auto, cuda, mps, cpu."


@pytest.mark.parametrize(
    "address",
    ["sqlite:///runs.sqlite", "sqlite:////data/runs.sqlite", "postgresql://u:p@host/db", "postgresql+psycopg:///db"],
)
def test_address_of_a_database_is_read(address: str) -> None:
    assert settings_from({"EXPLORER_DATABASE": address}).database == address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mysql://me:secret@host/db", "mysql://…"),
        ("sqlite://", "sqlite://…"),
        ("sqlite:///", "sqlite://…"),
        ("postgresql://", "postgresql://…"),
        ("me:secret@host", "no address"),
    ],
)
def test_other_address_is_refused_without_its_password(address: str, shown: str) -> None:
    assert message({"EXPLORER_DATABASE": address}) == (
        f"EXPLORER_DATABASE is {shown!r}: use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME."
    )


def test_password_is_never_shown() -> None:
    assert "secret" not in repr(Settings(database="postgresql://me:secret@host/db"))
    assert masked("postgresql://me:sec/r@e:t@host:5/db?a=b") == "postgresql://me:***@host:5/db?a=b"
    assert masked("postgresql://host/db?password=secret&a=b") == "postgresql://host/db?password=***&a=b"
    assert masked("postgresql://me@host/db") == "postgresql://me@host/db"
    assert "secret" not in run(EXPLORER_DATABASE="postgresql://me:secret@host/db").stdout


@pytest.mark.parametrize("field", ["runs_folder", "data_folder"])
def test_folder_is_read_whether_it_is_there_or_can_be_made(field: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "new" / "deep"):
        assert getattr(settings_from({key_of(field): str(folder)}), field) == str(folder)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("field", ["runs_folder", "data_folder"])
def test_file_in_place_of_a_folder_is_named(field: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "runs"):
        expected = f"{key_of(field)} is {str(folder)!r}, but {str(file)!r} is not a folder: give the path of a folder."
        assert message({key_of(field): str(folder)}) == expected


def test_folder_where_nothing_may_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda folder, mode: mode == os.R_OK)
    assert message({"EXPLORER_RUNS_FOLDER": str(tmp_path)}) == (
        f"EXPLORER_RUNS_FOLDER is {str(tmp_path)!r}, where nothing may be written: "
        f"give write access, or another folder."
    )
    assert settings_from({"EXPLORER_DATA_FOLDER": str(tmp_path)}).data_path == tmp_path  # reading is enough


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("linux", ".local/share/equivariance-explorer"),
        ("darwin", "Library/Application Support/equivariance-explorer"),
        ("win32", "AppData/Local/equivariance-explorer"),
    ],
)
def test_runs_and_data_are_kept_in_the_users_data_folder(
    system: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    assert Settings().runs_path == tmp_path / expected / "runs"
    assert Settings().data_path == tmp_path / expected / "data"
    variable = {"linux": "XDG_DATA_HOME", "win32": "LOCALAPPDATA"}.get(system)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "given"))
        assert Settings().runs_path == tmp_path / "given" / "equivariance-explorer" / "runs"


@pytest.mark.parametrize(
    ("system", "variable", "value"), [("darwin", "XDG_DATA_HOME", "/x"), ("linux", "XDG_DATA_HOME", "x")]
)
def test_folder_of_the_user_stays_where_it_was_found_before(
    system: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """macOS has no such variable, and a relative path counts for nothing."""
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv(variable, value)
    inside = {"darwin": "Library/Application Support", "linux": ".local/share"}[system]
    assert Settings().runs_path == tmp_path / inside / "equivariance-explorer" / "runs"


@pytest.mark.parametrize("field", WHOLE_NUMBERS)
@pytest.mark.parametrize("value", ["", "many", "-1", "3.5", " 64", "1e2", "0x40", "²", "9" * 5000])
def test_value_that_is_no_whole_number_names_key_value_and_range(field: str, value: str) -> None:
    smallest, largest = WHOLE_NUMBERS[field]
    expected = f"{key_of(field)} is {value!r}: use a whole number from {smallest} to {largest}."
    assert message({key_of(field): value}) == expected


@pytest.mark.parametrize("field", WHOLE_NUMBERS)
@pytest.mark.parametrize(("end", "step"), [(0, -1), (1, 1)], ids=["below", "above"])
def test_value_outside_the_range_names_key_value_and_range(field: str, end: int, step: int) -> None:
    value = WHOLE_NUMBERS[field][end] + step
    smallest, largest = WHOLE_NUMBERS[field]
    expected = f"{key_of(field)} is '{value}': use a whole number from {smallest} to {largest}."
    assert message({key_of(field): str(value)}) == expected


def test_mistyped_variable_is_named_with_the_setting_that_was_meant() -> None:
    environment = {"EXPLORER_MAX_SIZE": "64", "EXPLORER_COLOUR": "red", "PATH": "", "EXPLORER_DEVICE": "cpu"}
    assert unknown_variables(environment) == (
        "EXPLORER_COLOUR is not a setting and is ignored: the settings are EXPLORER_DEVICE, EXPLORER_MAX_SIZE_PX, "
        "EXPLORER_CONCURRENT_MEASUREMENTS, EXPLORER_NETWORK_CACHE_MB, EXPLORER_MEMORY_MB, EXPLORER_TRAINING, "
        "EXPLORER_DATABASE, EXPLORER_RUNS_FOLDER, EXPLORER_DATA_FOLDER, EXPLORER_WORKERS, EXPLORER_MAX_RUNS, "
        "EXPLORER_MAX_EPOCHS, EXPLORER_MAX_STEPS, EXPLORER_MAX_TRAINING_PX, EXPLORER_RUNS_DISK_MB.",
        "EXPLORER_MAX_SIZE is not a setting and is ignored: did you mean EXPLORER_MAX_SIZE_PX?",
    )


def test_variables_of_the_tests_are_not_called_mistyped() -> None:
    assert unknown_variables(dict.fromkeys(FOR_TESTS, "required")) == ()


def options(**changed: Any) -> dict[str, Any]:
    """Streamlit's options as this project sets them, some changed."""
    return {key: st.get_option(key) for key in STREAMLIT_OPTIONS} | changed


def test_committed_streamlit_options_are_accepted() -> None:
    check_streamlit(options().__getitem__)


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("server.maxUploadSize", 200, "a whole number from 1 to 20."),
        ("server.maxUploadSize", 0, "a whole number from 1 to 20."),
        ("server.fileWatcherType", "yes", "one of auto, watchdog, poll, none."),
        ("client.toolbarMode", "hidden", "one of auto, developer, viewer, minimal."),
        ("client.showErrorDetails", "some", "one of full, stacktrace, type, none, True, False."),
    ],
)
def test_streamlit_option_that_is_not_accepted_names_key_value_and_choices(key: str, value: Any, accepted: str) -> None:
    with pytest.raises(SettingError) as caught:
        check_streamlit(options(**{key: value}).__getitem__)
    assert str(caught.value) == f"{key} is {str(value)!r}: use {accepted}"


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "explorer.settings"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
    )


def test_module_prints_the_settings_in_force() -> None:
    printed = run(EXPLORER_MAX_SIZE_PX="99")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.splitlines() == [
        "EXPLORER_DEVICE=auto",
        "EXPLORER_MAX_SIZE_PX=99",
        "EXPLORER_CONCURRENT_MEASUREMENTS=2",
        "EXPLORER_NETWORK_CACHE_MB=1024",
        "EXPLORER_MEMORY_MB=0",
        "EXPLORER_TRAINING=on",
        "EXPLORER_DATABASE=",
        "EXPLORER_RUNS_FOLDER=",
        "EXPLORER_DATA_FOLDER=",
        "EXPLORER_WORKERS=1",
        "EXPLORER_MAX_RUNS=20",
        "EXPLORER_MAX_EPOCHS=200",
        "EXPLORER_MAX_STEPS=100000",
        "EXPLORER_MAX_TRAINING_PX=64",
        "EXPLORER_RUNS_DISK_MB=2048",
    ]


def test_module_ends_with_status_2_and_one_sentence_for_a_value_that_is_not_accepted() -> None:
    printed = run(EXPLORER_DEVICE="tpu")
    assert (printed.returncode, printed.stdout) == (2, "")
    assert printed.stderr == "EXPLORER_DEVICE is 'tpu': use one of auto, cuda, mps, cpu.\n"


def test_readme_lists_every_setting_with_its_default_what_is_accepted_and_its_meaning() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {
        cells[0]: cells[1:] for line in readme.splitlines() if len(cells := re.split(r" ?\| ?", line.strip("| "))) == 4
    }

    for each in fields(Settings):
        accepted, default = each.metadata["accepted"], str(each.default)
        words = f"{accepted[0]} to {accepted[-1]}" if isinstance(accepted, range) else ""
        if isinstance(accepted, FreeText):
            words, default = accepted.accepted, accepted.default
        assert rows[f"`{key_of(each.name)}`"] == [default, words or ", ".join(accepted), each.metadata["meaning"]]
    for key, accepted in STREAMLIT_OPTIONS.items():
        words = f"{accepted[0]} to {accepted[-1]}" if isinstance(accepted, range) else ", ".join(accepted)
        assert rows[f"`{key}`"][:2] == [str(st.get_option(key)), words.removesuffix(", True, False")]
