"""JavaScript modules as one script: for hosts that take one, and for a page that waits for no further file.

Each module becomes a function that is called once, after those of the modules that it imports, and that gives what the
module exports. That is what a browser makes of modules, as long as no exported name changes later and no modules import
each other in a circle: both are refused, as is every form that is not known here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_FROM = r'"(\.{1,2}/[\w./-]+\.js)";[ \t]*'
# At the start of a line: `import first, { other as another } from "./some.js";`, `import * as all from …`, `import …;`
_IMPORT = re.compile(
    rf"^import\s+(?:(?:(\w+)\s*,\s*)?{{([^}}]*)}}\s+from\s+|(\w+)\s+from\s+|\*\s+as\s+(\w+)\s+from\s+)?{_FROM}",
    re.MULTILINE,
)
_EXPORT_FROM = re.compile(rf"^export\s+{{([^}}]*)}}\s+from\s+{_FROM}", re.MULTILINE)
_EXPORT_NAMES = re.compile(r"^export\s+{([^}]*)};[ \t]*", re.MULTILINE)
_EXPORT = re.compile(r"^export (default )?(?=(?:async )?(?:function\*?|class) (\w+)|const (\w+) =)", re.MULTILINE)
_REFUSED = re.compile(r"""^\s*(?:import|export)\b(?!\().*|\bimport\(\s*["'`].*|\bimport\.meta\b.*""", re.MULTILINE)
_CHANGING = r"^(?:let|var)\b[^;]*\b{name}\b"


@dataclass(frozen=True)
class _Module:
    """A module taken apart.

    needs: the modules that it names, in the order of the source.
    imports: what is declared from each, as "{ a: b }" or "all".
    exports: {name: the name inside, and the module it is from, or None for this one}.
    body: the rest.
    """

    path: Path
    needs: tuple[Path, ...]
    imports: tuple[tuple[str, Path], ...]
    exports: Mapping[str, tuple[str, Path | None]]
    body: str


def one_script(entry: Path) -> str:
    """An ES module that needs no other and exports what the module at `entry` does.

    Imports and exports stand at the start of a line, and imports name files by relative paths in double quotes. Raises
    ValueError, with the file and the text, for what cannot be taken: other forms, exports that may change, files that
    are not there, modules in a circle.
    """
    modules = _in_order(entry.resolve(), known={}, above=())
    names = {path: f"${number}" for number, path in enumerate(modules)}
    last = list(modules)[-1]
    functions = [_function(module, names) for module in modules.values()]
    return "\n".join([*functions, *_exports(modules[last].exports, names[last])])


def _in_order(path: Path, *, known: dict[Path, _Module], above: tuple[Path, ...]) -> dict[Path, _Module]:
    """`known` and the module at `path`, after all that it needs: the order in which a browser runs them."""
    if path in above:
        circle = " → ".join(module.name for module in (*above[above.index(path) :], path))
        raise ValueError(f"modules import each other in a circle: {circle}")
    if path not in known:
        module = _read(path)
        for needed in module.needs:
            _in_order(needed, known=known, above=(*above, path))
        known[path] = module
    return known


def _read(path: Path) -> _Module:
    text = path.read_text(encoding="utf-8")
    needs = [_target(path, named) for _, named in sorted(_named_files(text))]
    imports = [(taken, _target(path, found[5])) for found in _IMPORT.finditer(text) for taken in _declared(found)]
    exports: dict[str, tuple[str, Path | None]] = {}
    for found in _EXPORT_FROM.finditer(text):
        exports |= {outside: (inside, _target(path, found[2])) for inside, outside in _pairs(found[1])}
    for found in _EXPORT_NAMES.finditer(text):
        exports |= {outside: (inside, None) for inside, outside in _pairs(found[1])}
    for found in _EXPORT.finditer(text):
        name = found[2] or found[3]
        exports["default" if found[1] else name] = (name, None)
    body = text
    for taken in (_IMPORT, _EXPORT_FROM, _EXPORT_NAMES, _EXPORT):
        body = taken.sub("", body)
    _refuse_the_rest(path, body, [inside for inside, other in exports.values() if other is None])
    return _Module(path, tuple(needs), tuple(imports), exports, body.strip())


def _named_files(text: str) -> Iterator[tuple[int, str]]:
    """Where in the text another module is named, and how."""
    yield from ((found.start(), found[5]) for found in _IMPORT.finditer(text))
    yield from ((found.start(), found[2]) for found in _EXPORT_FROM.finditer(text))


def _target(path: Path, named: str) -> Path:
    target = (path.parent / named).resolve()
    if not target.is_file():
        raise ValueError(f"{path.name} imports {named}, which is not there")
    return target


def _declared(found: re.Match[str]) -> Iterator[str]:
    """What an import declares: "all" for everything, "{ a: b }" for names."""
    first, names, only, everything, _ = found.groups()
    taken = [f"default: {first or only}"] if first or only else []
    taken += [f"{outside}: {inside}" for outside, inside in _pairs(names or "")]
    if everything:
        yield everything
    if taken:
        yield f"{{ {', '.join(taken)} }}"


def _pairs(names: str) -> Iterator[tuple[str, str]]:
    """("a", "a") and ("b", "c") of "a, b as c"."""
    for name in filter(None, map(str.strip, names.split(","))):
        first, _, second = name.partition(" as ")
        yield first.strip(), (second or first).strip()


def _refuse_the_rest(path: Path, body: str, exported: Iterable[str]) -> None:
    other = _REFUSED.search(body)
    if other:
        raise ValueError(
            f"{path.name}: {other[0].strip()!r} is not understood. Write, at the start of a line, "
            'import { name } from "./other.js"; and export before a function, a class or a const'
        )
    for name in exported:
        if re.search(_CHANGING.format(name=re.escape(name)), body, re.MULTILINE):
            raise ValueError(f"{path.name}: {name} is exported and may change: export a function that gives it")


def _function(module: _Module, names: Mapping[Path, str]) -> str:
    imports = "\n".join(f"const {declared} = {names[path]};" for declared, path in module.imports)
    exports = ", ".join(
        f"{outside}: {f'{names[path]}.' if path else ''}{inside}" for outside, (inside, path) in module.exports.items()
    )
    # The name of the file, for whoever reads this in a browser.
    return f"""\
// ---- {module.path.parent.name}/{module.path.name}
const {names[module.path]} = (() => {{
{imports}
{module.body}
return Object.freeze({{ {exports} }});
}})();
"""


def _exports(exported: Iterable[str], name: str) -> list[str]:
    return [
        f"export default {name}.default;" if outside == "default" else f"export const {outside} = {name}.{outside};"
        for outside in exported
    ]
