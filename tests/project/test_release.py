"""Version, changelog and tag agree, and where they do not, the release check says so."""

import re
import tomllib
from collections.abc import Collection

import pytest

import equivariance
import explorer
from deploy import release_check
from deploy.release_check import CHANGELOG, changelog_faults, release_faults
from tests.project.test_portable import project_files
from tests.support import ROOT

GOOD = """# Changelog

## [Unreleased]

## [1.10.0] - 2026-11-29

- Something.

## [1.9.0] - 2026-02-28

- Something before.
"""


def test_the_changelog_says_the_version_of_the_code() -> None:
    assert list(changelog_faults(equivariance.__version__, CHANGELOG.read_text(encoding="utf-8"))) == []


def test_the_version_is_written_in_one_place() -> None:
    written = re.compile(r"^\s*(?:__version__|version)\s*(?::\s*\w+\s*)?=\s*[\"'][\d.]+[\"']", re.MULTILINE)
    paths = [path for path in project_files() if path.endswith((".py", ".toml")) and not path.startswith("compat/")]
    places = [path for path in paths if written.search((ROOT / path).read_text(encoding="utf-8"))]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert places == ["equivariance/__init__.py"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "equivariance.__version__"}
    assert explorer.__version__ == equivariance.__version__


@pytest.mark.parametrize("tags", [(), ("v1.10.0",), ("v1.10.0", "stable")])
def test_a_release_that_agrees_passes(tags: Collection[str]) -> None:
    assert list(release_faults("1.10.0", GOOD, tags)) == []


@pytest.mark.parametrize(
    ("version", "changelog", "tags"),
    [
        ("1.10.1", GOOD, ()),
        ("1.10.0", GOOD, ("v1.9.0",)),
        ("1.10.0", GOOD, ("1.10.0",)),
        ("1.10.0", GOOD.replace("## [Unreleased]\n\n", ""), ()),
        ("1.10.0", GOOD.replace("[Unreleased]\n", "[Unreleased]\n\n- Not yet sorted.\n"), ()),
        ("1.10.0", GOOD.replace("2026-02-28", "2026-02-30"), ()),
        ("1.10.0", GOOD.replace("[1.9.0]", "[1.11.0]"), ()),
        ("1.10.0", GOOD.replace("[1.9.0]", "[1.10.0]"), ()),
    ],
)
def test_a_release_that_does_not_agree_is_caught(version: str, changelog: str, tags: Collection[str]) -> None:
    assert len(list(release_faults(version, changelog, tags))) == 1


def test_the_command_ends_with_status_1_and_one_sentence_for_a_wrong_tag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    changelog = tmp_path_factory.mktemp("release") / "CHANGELOG.md"
    changelog.write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr(release_check, "CHANGELOG", changelog)
    monkeypatch.setattr(release_check, "__version__", "1.10.0")
    monkeypatch.setattr(release_check, "tags_here", lambda: ["v1.9.0"])
    assert release_check.main() == 1
    assert capsys.readouterr().err == (
        "The commit has the tag v1.9.0, and the version is 1.10.0: its tag is v1.10.0.\n"
    )
    monkeypatch.setattr(release_check, "tags_here", lambda: ["v1.10.0"])
    assert release_check.main() == 0
    assert capsys.readouterr().out == "1.10.0: tag, version and changelog agree.\n"
