"""Makes while the image is built what a read-only container cannot keep: `python -m deploy.docker.warm TO_FOLDER`.

Below TO_FOLDER, each under its own full path: escnn's coefficients for every network, and the bytecode of every module
that a first visit imports. The bytecode is not compared with its source any more, so no change of a file's date makes
it void; bytecode of everything installed would take more than twice the space.
"""

import importlib
import shutil
import sys
from importlib.util import cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode, compile
from types import CodeType

APP = Path(__file__).parents[2]
SERVER = ("streamlit.web.cli", "streamlit.web.bootstrap", "uvicorn.protocols.http.auto", "uvicorn.lifespan.on")
LIMIT_S = 300  # for the first visit


def below(folder: Path, file: Path) -> Path:
    """Where `file`, an absolute path, lies in a copy of the file system that begins at `folder`."""
    return folder / file.relative_to(file.anchor)


def note_imports(noted: set[str]) -> None:
    """Add to `noted` the file of every module so far, and of every one from now on.

    sys.modules alone would not do: some modules replace themselves there by an object without a file.
    """
    noted.update(file for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None)))

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "exec" and isinstance(code := arguments[0], CodeType):
            noted.add(code.co_filename)

    sys.addaudithook(note)


def copy_coefficients(folder: Path) -> None:
    """Build every network, which fills escnn's store, and copy the store."""
    from models.build import serve
    from models.catalog import NAMES, spec

    for name in NAMES:
        serve(spec(name, minimum_width=True))
    from escnn.group import __cache_path__

    store = Path(__cache_path__)
    shutil.copytree(store, below(folder, store))


def visit() -> None:
    """Import the server, the command line and what a worker needs, and draw the app's first page."""
    for name in (*SERVER, "explorer.commands.main", "explorer.runs.worker"):
        importlib.import_module(name)
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_file(str(APP / "app.py"), default_timeout=LIMIT_S).run()
    if page.exception:
        raise SystemExit(f"the first page failed: {page.exception[0].message}")


def compile_files(files: set[Path], folder: Path) -> None:
    """Write the bytecode of each file to where Python looks for it, in the copy of the file system at `folder`."""
    for file in sorted(files):
        target = below(folder, Path(cache_from_source(str(file))))
        compile(str(file), str(target), doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def main(folder: Path) -> None:
    """Do all of it."""
    noted: set[str] = set()
    note_imports(noted)
    copy_coefficients(folder)
    visit()
    packages = {Path(file) for file in noted if file.endswith(".py") and "site-packages" in file}
    ours = {path for top in ("equivariance", "explorer", "models") for path in APP.glob(f"{top}/**/*.py")}
    compile_files(packages | ours, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
