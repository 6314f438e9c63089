"""The end of the process: what has to stop before Python does."""

import os
import sys
import threading
import time

LEAVE_S = 3.0  # for a script in the middle of a layer


def end_scripts(leave_s: float = LEAVE_S) -> None:
    """Let the scripts of visitors end before Python does: a thread that came back from torch later would abort it.

    Streamlit has asked them to stop. One that computes for longer ends with the process, at once and without a sound.
    """
    until_s = time.monotonic() + leave_s
    scripts = [thread for thread in threading.enumerate() if thread.name.startswith("ScriptRunner")]
    for script in scripts:
        script.join(max(0.0, until_s - time.monotonic()))
    if any(script.is_alive() for script in scripts):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
