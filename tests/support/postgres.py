"""A PostgreSQL server of its own, on a free port and in a temporary folder, for the tests of the store."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ACCOUNT = "postgres"  # of Debian's package: the server does not run as root


class UnavailableError(Exception):
    """Why no server can be started here."""


def programs() -> Path:
    """The folder of initdb and pg_ctl. Raises UnavailableError where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted((Path("/") / "usr" / "lib" / "postgresql").glob("*/bin/initdb"))
    if not installed:
        raise UnavailableError(
            "no PostgreSQL was found: install Debian's package postgresql, or have initdb on the PATH"
        )
    return installed[-1].parent


@contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a running server, without a database at its end."""
    bin_folder = programs()
    account = _ACCOUNT if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if account is not None:
            shutil.chown(folder, account)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = folder / "data"
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60"
        _run(account, bin_folder / "initdb", "-D", data, "-U", _ACCOUNT, "-A", "trust", "--no-sync")
        _run(account, bin_folder / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield f"postgresql://{_ACCOUNT}@127.0.0.1:{port}"
        finally:
            _run(account, bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(account: str | None, *command: str | Path) -> None:
    try:
        subprocess.run(command, user=account, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, LookupError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"PostgreSQL is installed but does not start here: {error}") from error
