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
    Settings,
    check_streamlit,
    key_of,
    settings_from,
    unknown_variables,
)

ROOT = Path(__file__).parents[1]

WHOLE_NUMBERS = {
    "max_size_px": (16, 4096),
    "concurrent_measurements": (1, 64),
    "network_cache_mb": (64, 1_048_576),
    "memory_mb": (0, 1_048_576),
}


def message(environment: dict[str, str]) -> str:
    with pytest.raises(SettingError) as caught:
        settings_from(environment)
    return str(caught.value)


def test_empty_environment_gives_the_defaults() -> None:
    expected = Settings(device="auto", max_size_px=512, concurrent_measurements=2, network_cache_mb=1024, memory_mb=0)
    assert settings_from({}) == expected == Settings()


def test_other_variables_are_left_alone() -> None:
    assert settings_from({"DEVICE": "tpu", "EXPLORER_COLOUR": "red"}) == Settings()


def test_every_field_is_tested_here() -> None:
    assert set(Settings.__dataclass_fields__) == {"device", *WHOLE_NUMBERS}


@pytest.mark.parametrize("device", DEVICES)
def test_device_is_read(device: str) -> None:
    assert settings_from({"EXPLORER_DEVICE": device}) == Settings(device=device)


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
        "EXPLORER_COLOUR is no setting and is ignored: the settings are EXPLORER_DEVICE, EXPLORER_MAX_SIZE_PX, "
        "EXPLORER_CONCURRENT_MEASUREMENTS, EXPLORER_NETWORK_CACHE_MB, EXPLORER_MEMORY_MB.",
        "EXPLORER_MAX_SIZE is no setting and is ignored: did you mean EXPLORER_MAX_SIZE_PX?",
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
        accepted = each.metadata["accepted"]
        words = f"{accepted[0]} to {accepted[-1]}" if isinstance(accepted, range) else ", ".join(accepted)
        assert rows[f"`{key_of(each.name)}`"] == [str(each.default), words, each.metadata["meaning"]]
    for key, accepted in STREAMLIT_OPTIONS.items():
        words = f"{accepted[0]} to {accepted[-1]}" if isinstance(accepted, range) else ", ".join(accepted)
        assert rows[f"`{key}`"][:2] == [str(st.get_option(key)), words.removesuffix(", True, False")]
