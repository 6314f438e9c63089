"""One script of several modules: it means what the modules mean, and says what it cannot take."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from explorer.layer_view.modules import one_script
from tests.explorer.layer_view.conftest import ADDRESS, serving
from tests.support import ROOT

ENTRIES = (
    "explorer/layer_view/browser/view.js",
    "explorer/pages/widgets/layer_view.js",
    "explorer/pages/widgets/chart_view.js",
)
# A name that two modules have, what changes behind a function, a module used twice, a folder, one without exports.
MODULES = {
    "entry.js": """// import { nothing } from "./not-there.js"; is a comment
import { count, countUp } from "./counting.js";
import * as inside from "./folder/inside.js";
import shout, { again as countAgain } from "./folder/other.js";
import {
  name as longName,
  other,
} from "./folder/names.js";
import "./effect.js";
note("entry");
const secret = "entry's own";
export const PATH = 'a string: from "./counting.js"; and ${braces} {0}';
export default function report() {
  const before = count();
  countUp();
  countAgain();
  return {
    counted: [before, count(), inside.seen()],
    secrets: [secret, inside.secret(), shout("x"), longName, other, hoisted()],
    order: globalThis.order.splice(0),
    names: Object.keys(inside).toSorted(),
    fixed: fixed(inside),
    leaked: typeof globalThis.secret,
    strict: (function () { return this === undefined; })(),
    top: typeof self,
  };
}
function fixed(namespace) {
  try {
    namespace.seen = null;
    return false;
  } catch {
    return true;
  }
}
function hoisted() {
  return new Thing().kind;
}
export class Thing {
  kind = "a thing";
}
export async function later() {
  return PATH;
}
const inner = 1;
export { inner as outer, hoisted };
""",
    "counting.js": """import "./effect.js";
note("counting");
let counted = 0;
export const count = () => counted;
export function countUp() {
  counted += 1;
}
""",
    "folder/inside.js": """import { count } from "../counting.js";
note("inside");
const secret = () => "inside's own";
export const seen = () => count();
export { secret };
""",
    "folder/other.js": """note("other");
import { seen } from "./inside.js";
export { countUp as again } from "../counting.js";
export default function shout(text) {
  return `${text}! ${seen()}`;
}
""",
    "folder/names.js": 'note("names");\nexport const name = "names";\nexport const other = `${name} {1}`;\n',
    "effect.js": """globalThis.order ??= [];
globalThis.note = (name) => globalThis.order.push(name);
note("effect");
""",
}
LOAD = r"""async (text) => {
  const address = /^\/\w/.test(text) ? text : URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { default: report, ...others } = await import(address);
  return [report?.(), Object.keys(others).sort(), await others.later?.()];
}"""
NAMES = LOAD.replace("report?.()", "typeof report")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    def write(modules: Mapping[str, str]) -> Path:
        """Writes modules; where the first of them lies."""
        for name, text in modules.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / next(iter(modules))

    return write


def test_the_script_does_what_the_modules_do(browser: Browser, written: Callable[..., Path]) -> None:
    entry = written(MODULES)

    def loaded(what: str) -> Any:
        page = browser.new_page()
        page.route(f"{ADDRESS}/**", serving(entry.parent))
        page.goto(ADDRESS)
        found = page.evaluate(LOAD, what)
        page.close()
        return found

    native = loaded("/entry.js")
    assert native == loaded(one_script(entry))
    report, names, path = native
    assert report["counted"] == [0, 2, 2]
    assert report["secrets"] == ["entry's own", "inside's own", "x! 2", "names", "names {1}", "a thing"]
    assert report["order"] == ["effect", "counting", "inside", "other", "names", "entry"]
    assert (report["leaked"], report["strict"]) == ("undefined", True)
    assert names == ["PATH", "Thing", "hoisted", "later", "outer"] and "{0}" in path


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_script_exports_what_its_module_does(blank: Page, entry: str) -> None:
    assert blank.evaluate(NAMES, f"/{entry}") == blank.evaluate(NAMES, one_script(ROOT / entry))


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (
            {"a.js": 'import { b } from "./b.js";', "b.js": 'import { a } from "./a.js";'},
            r"circle: \w\.js → \w\.js → \w",
        ),
        ({"a.js": 'import { b } from "./gone.js";'}, r"a\.js imports \./gone\.js, which is not there"),
        (
            {"a.js": "import { b } from './b.js';", "b.js": ""},
            r"a\.js: .*import { b } from './b\.js'.* is not understood",
        ),
        ({"a.js": 'import b from "library";'}, r"a\.js: .*library.* is not understood"),
        ({"a.js": 'const b = await import("./b.js");', "b.js": ""}, r"a\.js: .*import\(.* is not understood"),
        ({"a.js": "console.log(import.meta.url);"}, r"a\.js: .*import\.meta.* is not understood"),
        ({"a.js": 'export * from "./b.js";', "b.js": ""}, r"a\.js: .*export \* from.* is not understood"),
        ({"a.js": "export default 5;"}, r"a\.js: .*export default 5.* is not understood"),
        ({"a.js": "export let count = 0;"}, r"a\.js: .*export let count.* is not understood"),
        ({"a.js": "let count = 0;\nexport { count as now };"}, r"a\.js: count is exported and may change"),
    ],
)
def test_what_it_cannot_take_is_said(written: Callable[..., Path], modules: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        one_script(written(modules))


# ----------------------------------------------------------------------------------------------- the modules we have


def our_modules() -> dict[str, str]:
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("explorer/**/*.js")
    }


def test_every_module_is_in_one_of_the_scripts() -> None:
    scripts = "\n".join(one_script(ROOT / entry) for entry in ENTRIES)
    names = {path: "/".join(PurePosixPath(path).parts[-2:]) for path in our_modules()}
    assert [path for path, name in names.items() if f"// ---- {name}\n" not in scripts] == []


def test_every_export_is_used() -> None:
    modules = our_modules()
    imported = {
        name.split(" as ")[0].strip()
        for text in modules.values()
        for names in re.findall(r'^import\s*{([^}]*)}\s*from "', text, re.MULTILINE)
        for name in names.split(",")
    }
    tests = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    exported = {
        (path, name)
        for path, text in modules.items()
        for name in re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE)
    }
    assert len(exported) > 40
    assert [at for at in sorted(exported) if at[1] not in imported and not re.search(rf"\b{at[1]}\b", tests)] == []
