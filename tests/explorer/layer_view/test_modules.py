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
# A name that two modules have, an export that changes, a module used twice, a folder, a module without exports.
MODULES = {
    "entry.js": """// import { nothing } from "./not-there.js"; is a comment
import { count, countUp } from "./counting.js";
import * as inside from "./folder/inside.js";
import {
  default as shout,
  again as countAgain,
} from "./folder/other.js";
import "./effect.js";
note("entry");
const secret = "entry's own";
export const PATH = 'a string: from "./counting.js"; and </script> `as well`';
export default function report() {
  const before = count;
  countUp();
  countAgain();
  return {
    counted: [before, count, inside.seen()],
    secrets: [secret, inside.secret(), shout("x")],
    order: globalThis.order.splice(0),
    names: Object.keys(inside),
    leaked: typeof globalThis.secret,
    strict: (function () { return this === undefined; })(),
  };
}
export class Thing {}
export async function later() {
  return PATH;
}
""",
    "counting.js": 'import "./effect.js";\nnote("counting");\nexport let count = 0;\n'
    "export function countUp() {\n  count += 1;\n}\n",
    "folder/inside.js": 'import { count } from "../counting.js";\nnote("inside");\n'
    'const secret = () => "inside\'s own";\n'
    "export const seen = () => count;\nexport { secret };\n",
    "folder/other.js": 'import { seen } from "./inside.js";\nnote("other");\n'
    'export { countUp as again } from "../counting.js";\n'
    "export default function shout(text) {\n  return `${text}! ${seen()}`;\n}\n",
    "effect.js": "globalThis.order ??= [];\nglobalThis.note = (name) => globalThis.order.push(name);\n"
    'note("effect");\n',
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
    assert report["secrets"] == ["entry's own", "inside's own", "x! 2"]
    assert report["order"] == ["effect", "counting", "inside", "other", "entry"]
    assert (report["leaked"], report["strict"]) == ("undefined", True)
    assert names == ["PATH", "Thing", "later"] and "from" in path


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_script_exports_what_its_module_does(blank: Page, entry: str) -> None:
    assert blank.evaluate(NAMES, f"/{entry}") == blank.evaluate(NAMES, one_script(ROOT / entry))


def test_a_module_that_fails_names_itself(blank: Page, written: Callable[..., Path]) -> None:
    bad = 'export const bad = "fine so far";\nnowhere.to.be.found();\n'
    entry = written(
        {"entry.js": 'import { bad } from "./deep/bad.js";\nexport const found = bad;\n', "deep/bad.js": bad}
    )

    failure = blank.evaluate(
        """(text) => import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })))
          .catch((error) => error.stack)""",
        one_script(entry),
    )

    assert "nowhere is not defined" in failure and "deep/bad.js:2:" in failure


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (
            {"a.js": 'import { b } from "./b.js";', "b.js": 'import { a } from "./a.js";'},
            r"circle: \w\.js → \w\.js → \w",
        ),
        ({"a.js": 'import { b } from "./gone.js";'}, r"a\.js imports \./gone\.js, which is not there"),
        ({"a.js": "import { b } from './b.js';", "b.js": ""}, r"a\.js: write an import as .* not as import { b }"),
        ({"a.js": 'import b from "library";'}, r"a\.js: write an import as .*library"),
        ({"a.js": 'const b = await import("./b.js");', "b.js": ""}, r"a\.js: write an import as .*import\("),
        ({"a.js": 'export * from "elsewhere";'}, r"a\.js: write an import as .*elsewhere"),
        ({"a.js": "export let count = 0;"}, r"a\.js: an entry exports functions, .* not export let count = 0;"),
        ({"a.js": "const b = 1;\nexport { b };"}, r"a\.js: an entry exports functions, .* not export { b };"),
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
    missing = [path for path, name in names.items() if f"//# sourceURL={name}" not in scripts]
    assert missing == []


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
