"""Settings from the environment, validated once at start: a name, a value, and what is accepted in every error."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from explorer.errors import SettingError

DEVICES = ("auto", "cuda", "mps", "cpu")
_MAX_DIGITS = 20  # int() refuses thousands of them with an error of its own


@dataclass(frozen=True)
class Settings:
    """What a deployment may change; each field is the environment variable `EXPLORER_` + its name in capitals."""

    device: str = "auto"
    max_size_px: int = 512
    concurrent_measurements: int = 2
    network_cache_mb: int = 1024


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environment` (default: the process's); raises SettingError for a value that is not accepted."""
    given = os.environ if environment is None else environment
    device = given.get("EXPLORER_DEVICE", "auto")
    if device not in DEVICES:
        raise SettingError(f"EXPLORER_DEVICE is {device!r}: use one of {', '.join(DEVICES)}.")
    return Settings(
        device=device,
        max_size_px=_whole_number(given, "max_size_px", 16, 4096),
        concurrent_measurements=_whole_number(given, "concurrent_measurements", 1, 64),
        network_cache_mb=_whole_number(given, "network_cache_mb", 64, 1_048_576),
    )


def _whole_number(given: Mapping[str, str], field: str, smallest: int, largest: int) -> int:
    key = f"EXPLORER_{field.upper()}"
    value = given.get(key)
    if value is None:
        return int(getattr(Settings, field))
    if not value.isdecimal() or len(value) > _MAX_DIGITS or not smallest <= int(value) <= largest:
        raise SettingError(f"{key} is {value!r}: use a whole number from {smallest} to {largest}.")
    return int(value)
