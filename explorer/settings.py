"""Settings, validated once at start: every error names the key, the value, and what is accepted.

`python -m explorer.settings` prints those in force, or the one sentence that stops the app (exit status 2).
"""

import difflib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
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
APP_FOLDER = "equivariance-explorer"  # in the user's data folder
_MAX_DIGITS = 20  # int() refuses thousands of them with an error of its own
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/@]*):.*(?=@)|(?P<key>password)=[^&]*")


@dataclass(frozen=True)
class FreeText:
    """A setting that is neither a word of a list nor a number. An empty value stands for `default`, said in words.

    check: raises SettingError for a (key, value) that is not accepted.
    """

    accepted: str
    default: str
    check: Callable[[str, str], None]


Accepted = tuple[str, ...] | range | FreeText


def masked(address: str) -> str:
    """The address of a database without its password, to be shown."""
    return _PASSWORD.sub(lambda found: f"{found['key']}=***" if found["key"] else f"{found['user']}:***", address)


def _check_database(key: str, value: str) -> None:
    kind, sign, rest = value.partition("://")
    if kind == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return
    if kind in ("postgresql", "postgresql+psycopg") and rest.strip("/"):
        return
    shown = f"{kind}{sign}…" if sign else "no address"  # the rest may hold a password
    raise SettingError(f"{key} is {shown!r}: use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.")


def _check_folder(key: str, value: str) -> None:
    folder = Path(value)
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
    if not there.is_dir():
        raise SettingError(f"{key} is {value!r}, but {str(there)!r} is not a folder: give the path of a folder.")
    if not os.access(there, os.R_OK if folder.exists() and key == "EXPLORER_DATA_FOLDER" else os.W_OK):
        raise SettingError(f"{key} is {value!r}, where nothing may be written: give write access, or another folder.")


DATABASE = FreeText("sqlite:///PATH, postgresql://USER:PASSWORD@HOST/NAME", "a file with the runs", _check_database)
RUNS_FOLDER = FreeText("a folder", "`runs` in the user's data folder", _check_folder)
DATA_FOLDER = FreeText("a folder", "`data` in the user's data folder", _check_folder)


def _setting(default: Any, accepted: Accepted, meaning: str, *, is_shown: bool = True) -> Any:
    return field(default=default, repr=is_shown, metadata={"accepted": accepted, "meaning": meaning})


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
    training: str = _setting("on", ("on", "off"), "whether networks can be trained")
    database: str = _setting("", DATABASE, "where the state of runs is kept", is_shown=False)
    runs_folder: str = _setting("", RUNS_FOLDER, "where the files of runs are kept: weights, checkpoints, logs")
    data_folder: str = _setting("", DATA_FOLDER, "where data sets are looked for, and kept once fetched")
    workers: int = _setting(1, range(1, 65), "runs that train at once on this machine; further ones wait")
    max_runs: int = _setting(20, range(1, 1001), "runs of one visitor")
    max_epochs: int = _setting(200, range(1, 10_001), "epochs of one run")
    max_steps: int = _setting(100_000, range(1, 100_000_001), "updates of the weights in one run")
    max_training_px: int = _setting(64, range(8, 1025), "largest side of a picture that is trained on")
    runs_disk_mb: int = _setting(2048, range(64, 1_048_577), "disk for the files of all runs; none starts beyond it")

    @property
    def runs_path(self) -> Path:
        """The folder of the runs' files. Raises SettingError where none is named and the user has no home."""
        return Path(self.runs_folder) if self.runs_folder else _user_folder() / "runs"

    @property
    def data_path(self) -> Path:
        """The folder of the data sets. Raises SettingError where none is named and the user has no home."""
        return Path(self.data_folder) if self.data_folder else _user_folder() / "data"


def _user_folder() -> Path:
    """Where a program keeps the files of its user: by the rules of each system."""
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME"
    named = Path(os.environ.get(variable, ""))
    if sys.platform != "darwin" and named.is_absolute():
        return named / APP_FOLDER
    try:
        home = Path.home()
    except RuntimeError:
        raise SettingError(
            "The user has no home folder to keep runs in: set EXPLORER_RUNS_FOLDER and EXPLORER_DATA_FOLDER."
        ) from None
    inside = {"darwin": ("Library", "Application Support"), "win32": ("AppData", "Local")}
    return home.joinpath(*inside.get(sys.platform, (".local", "share")), APP_FOLDER)


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
            sentences.append(f"{key} is not a setting and is ignored: {advice}")
    return tuple(sentences)


def _checked(key: str, value: str, accepted: Accepted) -> str | int:
    """The value as what it stands for: one of a few words, a whole number, or a text."""
    if isinstance(accepted, FreeText):
        if value:
            accepted.check(key, value)
        return value
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
        print(f"{key_of(each.name)}={masked(str(getattr(settings, each.name)))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
