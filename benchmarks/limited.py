"""Memory and waiting on a small host: python -m benchmarks.limited [--memory-mb 690] [--cores 0.5] [--script FILE]

Starts the entry point of deploy/community_cloud with that much memory and that share of one core, opens views in
headless Chromium (outside the limits) and prints for each: seconds until the verdict is on the screen and until it is
the live one, the largest memory of the server meanwhile, and whether the server is still there. A server that was
killed is started anew for the next view.

Linux only. Where control groups may be made (root, mostly) the kernel holds the limits. Elsewhere the server is put on
one core, stopped for a part of every tenth of a second, and killed once it holds more than the limit.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.app_process import CHROMIUM_ARGS, ROOT, find_chromium

ENTRY = ROOT / "deploy" / "community_cloud" / "streamlit_app.py"
LIMIT_S = 600.0
PERIOD_S = 0.1
SAMPLE_S = 0.02
VIEWS = {
    "opening view": ["/"],
    "33 px": ["/?size=33"],
    "D4": ["/?group=D4"],
    "D4, steerable": ["/?group=D4&filters=steerable"],
    "C8": ["/?group=C8"],
    "SO(2)": ["/?group=SO(2)"],
    "ResNet-44": ["/?family=resnet44"],
    "ResNet-18 large, 65 px": ["/?family=resnet18-large&size=65"],
    "64 px": ["/?size=64"],
    "float64, 64 px": ["/?size=64&dtype=float64"],
    "D4, 128 px": ["/?group=D4&size=128"],
    "D4, steerable, 128 px": ["/?group=D4&filters=steerable&size=128"],
    "D4, float64, 128 px": ["/?group=D4&size=128&dtype=float64"],
    "three visitors": ["/?size=37", "/?group=D4&size=41", "/?group=C8&size=33"],
}


class Limits(Protocol):
    """What holds a server to its memory and its share of a core."""

    def join(self) -> None:
        """Called in the new process, before the server is run in it."""

    def watch(self, server_id: int) -> None:
        """Called once the server runs."""

    def close(self) -> None:
        """Called after the server has ended."""


class ControlGroups:
    """The kernel's own limits, of version 2 or, in one folder for each resource, of version 1."""

    name = "control groups"

    def __init__(self, memory_bytes: int, cores: float) -> None:
        """Raises OSError where this process may not make them."""
        top, name, period_us = Path("/sys/fs/cgroup"), f"explorer-{os.getpid()}", int(PERIOD_S * 1e6)
        quota_us = int(period_us * cores)
        if (top / "cgroup.controllers").exists():
            values = {"memory.max": memory_bytes, "memory.swap.max": 0, "cpu.max": f"{quota_us} {period_us}"}
            settings = {top / name: values}
        else:
            settings = {
                top / "memory" / name: {"memory.limit_in_bytes": memory_bytes},
                top / "cpu" / name: {"cpu.cfs_period_us": period_us, "cpu.cfs_quota_us": quota_us},
            }
        self._folders = list(settings)
        for folder, values in settings.items():
            folder.mkdir()
            for file, value in values.items():
                (folder / file).write_text(str(value), encoding="ascii")

    def join(self) -> None:
        """See Limits."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def watch(self, server_id: int) -> None:
        """See Limits: the kernel does it."""

    def close(self) -> None:
        """See Limits."""
        for folder in self._folders:
            folder.rmdir()


class StopAndContinue:
    """Limits for those who may not make control groups: one core, stopped part of the time, killed above the memory."""

    name = "one core, stopping and continuing"

    def __init__(self, memory_bytes: int, cores: float) -> None:
        self._memory_bytes, self._busy_s = memory_bytes, PERIOD_S * min(cores, 1.0)

    def join(self) -> None:
        """See Limits."""
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def watch(self, server_id: int) -> None:
        """See Limits."""
        threading.Thread(target=self._hold, args=(server_id,), daemon=True).start()

    def close(self) -> None:
        """See Limits: the thread ends with the server."""

    def _hold(self, server_id: int) -> None:
        try:
            while True:
                time.sleep(self._busy_s)
                os.kill(server_id, signal.SIGSTOP)
                time.sleep(PERIOD_S - self._busy_s)
                os.kill(server_id, signal.SIGCONT)
                if memory_bytes(server_id).resident > self._memory_bytes:
                    os.kill(server_id, signal.SIGKILL)
        except ProcessLookupError:
            return


@dataclass(frozen=True)
class Memory:
    """Bytes of a process: all that is in memory, and the part that is its own and cannot be read again from a file."""

    resident: int = 0
    anonymous: int = 0


def memory_bytes(process_id: int) -> Memory:
    """What the process holds now; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return Memory()
    kilobytes = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    return Memory(int(kilobytes.get("VmRSS", 0)) * 1024, int(kilobytes.get("RssAnon", 0)) * 1024)


@contextmanager
def largest_memory(process_id: int) -> Iterator[Callable[[], Memory]]:
    """A function that gives the largest memory seen so far in the block."""
    resident, anonymous, done = [0], [0], threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_S):
            now = memory_bytes(process_id)
            resident[0], anonymous[0] = max(resident[0], now.resident), max(anonymous[0], now.anonymous)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield lambda: Memory(resident[0], anonymous[0])
    finally:
        done.set()
        thread.join()


class Server:
    """The app within its limits, started as a host would: `streamlit run`, without the project's folder on the path."""

    def __init__(self, script: Path, log: Path, limits: Limits) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._limits = limits
        options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "streamlit", "run", str(script), *options],
                cwd=ROOT,
                stdout=sink,
                stderr=sink,
                preexec_fn=limits.join,
            )
        limits.watch(self.process.pid)

    @property
    def is_alive(self) -> bool:
        """Whether the server has not been killed."""
        return self.process.poll() is None

    def wait(self) -> None:
        """Until the server answers; raises RuntimeError where it does not."""
        deadline_s = time.monotonic() + LIMIT_S
        while self.is_alive and time.monotonic() < deadline_s:
            try:
                with urlopen(f"{self.url}/_stcore/health", timeout=5):
                    return
            except (URLError, TimeoutError, ConnectionError):
                time.sleep(0.05)
        raise RuntimeError("the server did not start: give it more memory, or see what --log says")

    def close(self) -> None:
        """End it, and its limits."""
        self.process.kill()
        self.process.wait()
        self._limits.close()


def visit(browser: Browser, server: Server, paths: list[str]) -> tuple[float | None, float | None]:
    """Seconds until all `paths`, opened at once, show a verdict, and until all show a live one; None: never."""
    started_s = time.perf_counter()
    pages = [browser.new_page() for _ in paths]
    for page, path in zip(pages, paths, strict=True):
        page.goto(server.url + path, wait_until="commit")
    shown = [
        time.perf_counter() - started_s if all(_appears(page, text, server) for page in pages) else None
        for text in ("quivariant to", "PU · ")  # of the headline; CPU or GPU: the device that measured
    ]
    for page in pages:
        page.close()
    return shown[0], shown[1]


def _appears(page: Page, text: str, server: Server) -> bool:
    deadline_s = time.monotonic() + LIMIT_S
    while server.is_alive and time.monotonic() < deadline_s:
        if page.get_by_text(text).count():
            return True
        if page.get_by_role("alert").count():
            print(f"  {page.get_by_role('alert').first.inner_text()}")
            return False
        page.wait_for_timeout(20)
    return False


def main() -> None:
    """Print the limits and one line for each view."""
    options = _options()
    limits_type = _limits_type()
    print(f"{options.memory_mb} MB, {options.cores:g} core(s), held by {limits_type.name}")
    print(f"{'view':<24}{'verdict':>10}{'live':>10}{'resident':>12}{'own':>10}  server")

    def start() -> Server:
        limits = limits_type(options.memory_mb * 10**6, options.cores)
        server = Server(options.script.resolve(), options.log, limits)
        with largest_memory(server.process.pid) as largest:
            started_s = time.perf_counter()
            server.wait()
            _print_row("start of the server", (time.perf_counter() - started_s, None), largest(), server)
        return server

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGS)
        server = start()
        for name in options.views or VIEWS:
            if not server.is_alive:
                server.close()
                server = start()
            with largest_memory(server.process.pid) as largest:
                _print_row(name, visit(browser, server, VIEWS[name]), largest(), server)
        server.close()
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory-mb", type=int, default=690, help="memory in millions of bytes (default 690)")
    parser.add_argument("--cores", type=float, default=0.5, help="share of one core (default 0.5)")
    parser.add_argument("--script", type=Path, default=ENTRY, help="the entry point (default: deploy/community_cloud)")
    parser.add_argument("--views", nargs="*", choices=VIEWS, metavar="VIEW", help=f"of: {', '.join(VIEWS)}")
    parser.add_argument(
        "--log", type=Path, default=Path(tempfile.gettempdir()) / "limited.log", help="what the server prints"
    )
    return parser.parse_args()


def _limits_type() -> type[ControlGroups] | type[StopAndContinue]:
    try:
        ControlGroups(2**30, 1.0).close()
    except OSError:
        return StopAndContinue
    return ControlGroups


def _print_row(name: str, seconds: tuple[float | None, float | None], largest: Memory, server: Server) -> None:
    times = "".join(f"{'–' if value is None else f'{value:.1f} s':>10}" for value in seconds)
    memory = f"{largest.resident / 1e6:>9.0f} MB{largest.anonymous / 1e6:>7.0f} MB"
    print(f"{name:<24}{times}{memory}  {'alive' if server.is_alive else 'killed'}", flush=True)


if __name__ == "__main__":
    main()
