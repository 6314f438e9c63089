#!/bin/sh
# Finishes /opt/venv: checks that torch is the build that was asked for, and drops what the app never reads.
set -eu
python -c '
import sys, torch
if not torch.__version__.endswith("+" + sys.argv[1]):
    sys.exit(f"torch {torch.__version__} was installed, not a build for {sys.argv[1]}: is TORCH_INDEX reachable?")
' "$1"
packages=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# Tests and C++ headers of the packages; programs of torch other than the one that its import asks for.
find "$packages" -type d \( -name tests -o -name test -o -name include \) -prune -exec rm -r {} +
find "$packages/torch/bin" -type f ! -name torch_shm_manager -delete
find /opt/venv -name __pycache__ -type d -prune -exec rm -r {} +
pip uninstall --quiet --yes pip
