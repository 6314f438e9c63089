#!/bin/sh
# What the container runs: a wrong setting ends it at once with one sentence and status 2; then the app takes this
# process's place, so that it gets the signals of `docker stop` itself.
set -eu
python -m explorer.settings
exec python -m streamlit run app.py --server.port="${PORT:-8501}"
