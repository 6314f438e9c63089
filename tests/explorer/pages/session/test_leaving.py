"""The end of the process while scripts of visitors still run."""

import subprocess
import sys

import pytest

from tests.support import ROOT

SCRIPT = """
import atexit, threading, time
from explorer.pages.session.leaving import end_scripts
atexit.register(lambda: print("last"))
atexit.register(end_scripts, 0.3)
threading.Thread(target=time.sleep, args=({runs_s},), name="ScriptRunner.scriptThread", daemon=True).start()
print("first")
"""


@pytest.mark.parametrize(
    ("runs_s", "printed"), [(0.1, ["first", "last"]), (60, ["first"])], ids=["ends", "computes on"]
)
def test_a_process_waits_for_scripts_and_leaves_without_those_that_do_not_end(
    runs_s: float, printed: list[str]
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(runs_s=runs_s)], cwd=ROOT, capture_output=True, encoding="utf-8"
    )

    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, printed, "")
