"""The app on a small host such as Streamlit Community Cloud; docs/deploy-cloud.md says how.

From the project's folder: `streamlit run deploy/community_cloud/streamlit_app.py`.
"""

import ctypes
import os
import runpy
import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
# What fits 690 MB of memory and one slow core, see benchmarks/limited.py. The environment and the host's secrets win.
DEFAULTS = {
    "EXPLORER_CONCURRENT_MEASUREMENTS": "1",
    "EXPLORER_NETWORK_CACHE_MB": "64",
    "EXPLORER_MEMORY_MB": "658",
    "EXPLORER_TRAINING": "off",  # a worker takes 350 MB of its own
    "OMP_NUM_THREADS": "1",
}
# Of glibc's mallopt: all blocks from this size on go back to the system when freed, instead of being kept for later;
# and threads share two heaps.
MMAP_THRESHOLD, ARENA_MAX = -3, -8
LARGE_BLOCK_BYTES, HEAPS = 2**18, 2


def _spare_memory() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(LARGE_BLOCK_BYTES))  # so that the app leaves it alone
        mallopt(ARENA_MAX, HEAPS)


sys.path.insert(0, str(ROOT))
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
_spare_memory()

# `streamlit run` finds `app` and serves app.py as if it had been named, with the fonts in static/ beside it.
app = st.App(ROOT / "app.py")
if st.runtime.exists():  # a host that runs this file as a plain script: all but the fonts is there
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
