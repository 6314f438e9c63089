"""Do version, changelog and tag agree? `make release-check`, or `python -m deploy.release_check`, from the checkout.

Prints one sentence for each thing that a release must not have, and ends with status 1 if there is any. It changes
nothing, and what it looks at is the commit that is checked out: docs/releasing.md says when to run it.
"""

import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

from equivariance import __version__

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
_HEADING = re.compile(r"^## (?P<title>.*)$", re.MULTILINE)
_RELEASE = re.compile(r"\[(?P<version>\d+\.\d+\.\d+)\] - (?P<day>\S+)", re.ASCII)
_UNRELEASED = "[Unreleased]"


def changelog_faults(version: str, changelog: str) -> Iterator[str]:
    """What must hold at every commit: the latest release of the changelog is the version of the code."""
    titles = _HEADING.findall(changelog)
    if titles[:1] != [_UNRELEASED]:
        yield f"CHANGELOG.md does not begin with ## {_UNRELEASED}: changes of tomorrow have no place."
    releases = []
    for title in [title for title in titles if title != _UNRELEASED]:
        release = _RELEASE.fullmatch(title)
        if release is None or not _is_day(release["day"]):
            yield f"CHANGELOG.md: {title!r} is not [1.2.3] - 2026-11-29."
        else:
            releases.append(release["version"])
    if releases[:1] != [version]:
        yield (
            f"equivariance.__version__ is {version} and the latest release of CHANGELOG.md is "
            f"{releases[0] if releases else 'none'}: they must be one."
        )
    if releases != sorted(set(releases), key=_numbers, reverse=True):
        yield "CHANGELOG.md: releases stand in the wrong order, or twice."


def release_faults(version: str, changelog: str, tags: Collection[str]) -> Iterator[str]:
    """What must hold at a release as well; `tags` are those of its commit, none before it is tagged."""
    yield from changelog_faults(version, changelog)
    rest = changelog.partition(f"## {_UNRELEASED}")[2]
    if rest.partition("\n## ")[0].strip():
        yield f"CHANGELOG.md has changes under {_UNRELEASED}: put them under the version that they come with."
    for tag in tags:
        if re.match(r"v?\d", tag) and tag != f"v{version}":
            yield f"The commit has the tag {tag}, and the version is {version}: its tag is v{version}."


def tags_here() -> list[str]:
    """The tags of the commit that is checked out."""
    command = ["git", "tag", "--points-at", "HEAD"]
    done = subprocess.run(command, cwd=CHANGELOG.parent, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.split()


def main() -> int:
    """Print what is wrong, or what is left to do; the exit status."""
    tags = tags_here()
    faults = list(release_faults(__version__, CHANGELOG.read_text(encoding="utf-8"), tags))
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        return 1
    tag = f"v{__version__}"
    is_tagged = "tag, " if tag in tags else ""
    print(f"{__version__}: {is_tagged}version and changelog agree." + ("" if is_tagged else f" Not tagged yet: {tag}."))
    return 0


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    sys.exit(main())
