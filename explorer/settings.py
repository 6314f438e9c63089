"""Settings, validated once at start: every error names the key, the value, and what is accepted.

`python -m explorer.settings` prints those in force, or the one sentence that stops the app (exit status 2).
"""

import difflib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from explorer.errors import SettingError

PREFIX = "EXPLORER_"
DEVICES = ("auto", "cuda", "mps", "cpu")
FOR_TESTS = ("EXPLORER_BROWSER_TESTS", "EXPLORER_CHROMIUM")  # read by the tests, not by the app
# Streamlit checks numbers and booleans itself, and takes any word; the app refuses pictures of more than 20 MiB.
STREAMLIT_OPTIONS: dict[str, tuple[str, ...] | range] = {
    "server.maxUploadSize": range(1, 21),
    "server.fileWatcherType": ("auto", "watchdog", "poll", "none"),
    "client.showErrorDetails": ("full", "stacktrace", "type", "none", "True", "False"),
    "client.toolbarMode": ("auto", "developer", "viewer", "minimal"),
}
_MAX_DIGITS = 20  # int() refuses thousands of them with an error of its own


def _setting(default: Any, accepted: tuple[str, ...] | range, meaning: str) -> Any:
    return field(default=default, metadata={"accepted": accepted, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """What a deployment may change; each field is the environment variable `EXPLORER_` + its name in capitals."""

    device: str = _setting("auto", DEVICES, "what runs the networks; `auto` takes the first of cuda, mps, cpu")
    max_size_px: int = _setting(512, range(16, 4097), "largest side of a picture that is measured")
    concurrent_measurements: int = _setting(2, range(1, 65), "measurements at once; further ones wait")
    network_cache_mb: int = _setting(1024, range(64, 1_048_577), "memory for networks kept between views")
    memory_mb: int = _setting(
        0, range(1_048_577), "memory of the app on a CPU; 0 takes what the machine or its container has"
    )


def key_of(name: str) -> str:
    """The environment variable of a field of Settings."""
    return PREFIX + name.upper()


def settings_from(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environment` (default: the process's); raises SettingError for a value that is not accepted."""
    given = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for each in fields(Settings):
        value = given.get(key_of(each.name))
        if value is not None:
            values[each.name] = _checked(key_of(each.name), value, each.metadata["accepted"])
    return Settings(**values)


def check_streamlit(option: Callable[[str], object]) -> None:
    """Raise SettingError for a Streamlit option, as `option(key)` gives it, with a value that is not accepted."""
    for key, accepted in STREAMLIT_OPTIONS.items():
        _checked(key, str(option(key)), accepted)


def unknown_variables(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """One sentence for each variable that looks like a setting and is none: mistyped, most likely."""
    given = os.environ if environment is None else environment
    known = {each.name: key_of(each.name) for each in fields(Settings)}
    sentences = []
    for key in sorted(given):
        if key.startswith(PREFIX) and key not in (*known.values(), *FOR_TESTS):
            near = difflib.get_close_matches(key.removeprefix(PREFIX).lower(), known, n=1)
            advice = f"did you mean {known[near[0]]}?" if near else f"the settings are {', '.join(known.values())}."
            sentences.append(f"{key} is no setting and is ignored: {advice}")
    return tuple(sentences)


def _checked(key: str, value: str, accepted: tuple[str, ...] | range) -> str | int:
    """The value as what it stands for: one of a few words, or a whole number."""
    if isinstance(accepted, range):
        if value.isdecimal() and len(value) <= _MAX_DIGITS and int(value) in accepted:
            return int(value)
        raise SettingError(f"{key} is {value!r}: use a whole number from {accepted[0]} to {accepted[-1]}.")
    if value not in accepted:
        raise SettingError(f"{key} is {value!r}: use one of {', '.join(accepted)}.")
    return value


def main() -> int:
    """Print the settings in force; the exit status."""
    for sentence in unknown_variables():
        print(sentence, file=sys.stderr)
    try:
        settings = settings_from()
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    for each in fields(Settings):
        print(f"{key_of(each.name)}={getattr(settings, each.name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
