"""JavaScript modules as one script: for hosts that take a single script, and for a page that is painted at once.

A module of the source imports others by paths relative to itself. The script holds the text of each, and the browser
makes of each a module of its own again: nothing is renamed or wrapped, only the path in an import becomes the address
that the module was given. So scopes, exports and the order of evaluation are those of the browser.
"""

import json
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# `import … from "./other.js";`, `import "./other.js";` and `export … from "./other.js";`, at the start of a line.
_IMPORT = re.compile(r'^(?:import|export)\s(?:[^;"\'`=()]*?\sfrom\s+)?"(\.{1,2}/[\w./-]+\.js)";', re.MULTILINE)
_ANY_IMPORT = re.compile(r"^\s*import\s*[\w{*\"'].*|^\s*export\s[^;=(]*?\sfrom\s.*|\bimport\(\s*[\"'`].*", re.MULTILINE)
_EXPORT = re.compile(r"^export (default )?(?:async )?(?:function\*?|class|const) (\w+)", re.MULTILINE)
_ANY_EXPORT = re.compile(r"^\s*export\b.*", re.MULTILINE)

_LOADER = """\
// Modules, each after those it imports: a text, and numbers where it names the module of that number.
const modules = [
{modules}
];
const addresses = [];
for (const parts of modules) {{
  const text = parts.map((part) => (typeof part === "number" ? addresses[part] : part));
  addresses.push(URL.createObjectURL(new Blob(text, {{ type: "text/javascript" }})));
}}
const entry = await import(addresses.at(-1)).finally(() => {{
  for (const address of addresses) URL.revokeObjectURL(address);
}});
{exports}
"""


def one_script(entry: Path) -> str:
    """An ES module that needs no other and exports what the module at `entry` does.

    Imports are static, in double quotes and at the start of a line; the entry exports functions, classes and constants
    where it declares them. Raises ValueError, with the file and the line, for anything else, for a file that is not
    there, and for modules that import each other in a circle.
    """
    texts = _texts(entry.resolve())
    graph = {path: [target for target in parts if isinstance(target, Path)] for path, parts in texts.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = " → ".join(path.name for path in error.args[1])
        raise ValueError(f"modules import each other in a circle: {names}") from None
    numbers = {path: number for number, path in enumerate(order)}
    modules = ",\n".join(_packed(path, texts[path], numbers) for path in order)
    return _LOADER.format(modules=modules, exports=_exports(order[-1]))


def _texts(entry: Path) -> dict[Path, list[str | Path]]:
    """The text of each module that `entry` needs, in parts: between them the modules that it names."""
    texts: dict[Path, list[str | Path]] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path not in texts:
            texts[path] = _parts(path)
            waiting += [part for part in texts[path] if isinstance(part, Path)]
    return texts


def _parts(path: Path) -> list[str | Path]:
    text = path.read_text(encoding="utf-8")
    parts: list[str | Path] = []
    at = 0
    for found in _IMPORT.finditer(text):
        parts += [text[at : found.start(1)], _target(path, found[1])]
        at = found.end(1)
    other = _ANY_IMPORT.search(_IMPORT.sub("", text))
    if other:
        raise ValueError(
            f'{path.name}: write an import as import {{ name }} from "./other.js"; at the start of a line, '
            f"not as {other[0].strip()}"
        )
    return [*parts, text[at:]]


def _target(path: Path, named: str) -> Path:
    target = (path.parent / named).resolve()
    if not target.is_file():
        raise ValueError(f"{path.name} imports {named}, which is not there")
    return target


def _packed(path: Path, parts: list[str | Path], numbers: Mapping[Path, int]) -> str:
    """The module as JSON, with its name for the browser's tools; "</" is written so that it may lie in HTML."""
    name = f"\n//# sourceURL={path.parent.name}/{path.name}\n"
    packed = [numbers[part] if isinstance(part, Path) else part for part in (*parts, name)]
    return json.dumps(packed, ensure_ascii=False).replace("</", "<\\/")


def _exports(entry: Path) -> str:
    text = entry.read_text(encoding="utf-8")
    other = _ANY_EXPORT.search(_EXPORT.sub("", text))
    if other:
        raise ValueError(f"{entry.name}: an entry exports functions, classes and constants, not {other[0].strip()}")
    return "\n".join(
        "export default entry.default;" if default else f"export const {name} = entry.{name};"
        for default, name in _EXPORT.findall(text)
    )
