# The app in one image, built from this checkout; CPU unless told otherwise (docs/deploy-docker.md):
#   docker build --tag equivariance-explorer .
#   docker build --tag equivariance-explorer:cu130 --build-arg TORCH=cu130 .

# The version and the Debian release are named, so that a new release of either changes nothing before it is tried.
# The patch version is not: its security fixes come with the next `docker build --pull`.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS packages
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/venv
COPY compat/ compat/
COPY requirements.txt ./
# A folder of PyTorch's index: cpu, or a CUDA version such as cu130. pip takes its 2.13.0+cpu before a plain 2.13.0.
ARG TORCH=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/${TORCH}
RUN pip install --no-compile --extra-index-url "$TORCH_INDEX" --requirement requirements.txt
COPY deploy/docker/slim.sh deploy/docker/
RUN sh deploy/docker/slim.sh "$TORCH"

# Apart from the packages, so that a change of the app leaves their large layer as it is.
FROM packages AS app
WORKDIR /app
COPY .streamlit/ .streamlit/
COPY assets/ assets/
COPY static/ static/
COPY equivariance/ equivariance/
COPY models/ models/
COPY explorer/ explorer/
COPY deploy/docker/ deploy/docker/
COPY app.py LICENSE ./
RUN python -m deploy.docker.warm /warm

FROM python:${PYTHON}-slim-bookworm
RUN useradd --uid 1000 --user-group --no-log-init --home-dir /data --shell /usr/sbin/nologin explorer \
    && install --directory --owner=explorer --group=explorer /data
COPY --from=packages /opt/venv/ /opt/venv/
COPY --from=app /warm/ /
COPY --from=app /app/ /app/
# The home is the one place that must be writable; torch cannot be imported without a place for temporary files.
# Nothing writes bytecode: all of it is there.
# Streamlit's welcome message is off because it asks another host for this one's address.
ENV PATH=/opt/venv/bin:$PATH HOME=/data TMPDIR=/data PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 STREAMLIT_SERVER_HEADLESS=true STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
WORKDIR /app
EXPOSE 8501
# As a number, so that Kubernetes can see that it is not root.
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "deploy/docker/health.py"]
CMD ["sh", "deploy/docker/start.sh"]
