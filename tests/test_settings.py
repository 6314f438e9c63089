"""Settings: the defaults, each variable, and one sentence for each value that is not accepted."""

import pytest

from explorer.errors import SettingError
from explorer.settings import DEVICES, Settings, settings_from

WHOLE_NUMBERS = {
    "max_size_px": (16, 4096),
    "concurrent_measurements": (1, 64),
    "network_cache_mb": (64, 1_048_576),
}


def key_of(field: str) -> str:
    return f"EXPLORER_{field.upper()}"


def message(environment: dict[str, str]) -> str:
    with pytest.raises(SettingError) as caught:
        settings_from(environment)
    return str(caught.value)


def test_empty_environment_gives_the_defaults() -> None:
    expected = Settings(device="auto", max_size_px=512, concurrent_measurements=2, network_cache_mb=1024)
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
