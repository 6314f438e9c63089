"""Commands that pages offer, run in this process: another one would take seconds to start, and test_cli starts some."""

import io
import json
import shlex
from contextlib import redirect_stdout
from typing import Any

from explorer.commands.main import main


def document_of(command: str) -> Any:
    """The JSON document that `python -m explorer …` prints, with `--json` or without."""
    python, flag, module, *words = shlex.split(command)
    assert (python, flag, module) == ("python", "-m", "explorer")
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main([*words, *([] if "--json" in words else ["--json"])]) == 0
    return json.loads(printed.getvalue())
