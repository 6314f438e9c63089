"""The hooks that look at a commit are the steps of `make check`, with the same tools: one list of versions."""

import re
import subprocess
import sys

import pytest

from tests.support import ROOT

CONFIG = ROOT / ".pre-commit-config.yaml"


def steps_of_check(makefile: str) -> list[str]:
    """The commands of the target `check`, with its variables filled in."""
    variables = dict(re.findall(r"^(\w+) := (.*)$", makefile, re.MULTILINE))
    (lines,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    steps = lines.replace("\t", "").splitlines()
    while any("$(" in step for step in steps):
        steps = [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], step) for step in steps]
    return steps


def faults(config: str, makefile: str) -> list[str]:
    """What hooks do that `make check` does not, or the other way round, and hooks that bring tools of their own."""
    steps, hooks = steps_of_check(makefile), re.findall(r"^ +entry: (.*)$", config, re.MULTILINE)
    others = [repo for repo in re.findall(r"repo: (\S+)", config) if repo != "local"]
    languages = [language for language in re.findall(r"language: (\S+)", config) if language != "system"]
    return [
        *(f"no hook does {step!r}" for step in steps if step not in hooks),
        *(f"make check does not do {hook!r}" for hook in hooks if hook not in steps),
        *(f"tools from {repo}" for repo in others),
        *(f"a tool in an environment of its own: {language}" for language in languages),
    ]


CHECKED, MADE = CONFIG.read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")


def test_hooks_are_the_steps_of_make_check() -> None:
    assert len(steps_of_check(MADE)) >= 4
    assert faults(CHECKED, MADE) == []


@pytest.mark.parametrize(
    ("config", "makefile"),
    [
        (CHECKED.replace("-m mypy", "-m mypy --fast"), MADE),
        (CHECKED, MADE.replace("\t$(RUN) -m mypy\n", "")),
        (CHECKED.replace("repo: local", "repo: https://example.org/ruff", 1), MADE),
        (CHECKED.replace("language: system", "language: python", 1), MADE),
    ],
)
def test_hooks_that_differ_are_caught(config: str, makefile: str) -> None:
    assert faults(config, makefile) != []


def test_pre_commit_accepts_the_configuration() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", str(CONFIG)], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
