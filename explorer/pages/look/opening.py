"""The opening view as it was measured once, so that the first screen is filled before torch is imported.

`make opening` measures it again and stores it in assets/opening; a test compares the two.
"""

import json
from dataclasses import asdict, fields
from functools import cache
from typing import Any

from explorer.checkout import ASSETS, ROOT
from explorer.pages.look.controls import View
from explorer.pages.look.sheet import Sheet
from explorer.pages.widgets.charts import Chart

_TEXTS = ASSETS / "opening" / "sheet.json"
_MAPS = ASSETS / "opening" / "maps.bin"


def stored_sheet(view: View, wanted_layer: str | None) -> Sheet | None:
    """The stored sheet where `view` is the opening view with the layer it opens at; else None."""
    stored = _stored()
    return stored[1] if stored is not None and wanted_layer is None and view.key() == stored[0] else None


@cache
def _stored() -> tuple[str, Sheet] | None:
    """The key of the stored view, and its sheet; None where nothing is stored, or only what another version drew."""
    if not _TEXTS.exists():
        return None
    document = json.loads(_TEXTS.read_text(encoding="utf-8"))
    values: dict[str, Any] = document["sheet"]  # as JSON has it
    if {*values, "payload"} != {each.name for each in fields(Sheet)}:
        return None
    values["errors"], values["logits"] = Chart(**values["errors"]), Chart(**values["logits"])
    values["mends"] = [tuple(mend) for mend in values["mends"]]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return document["view"], Sheet(**values, payload=_MAPS.read_bytes())


def store(view: View, sheet: Sheet) -> None:
    """Write what `stored_sheet` reads."""
    values = asdict(sheet)
    payload = values.pop("payload")
    text = json.dumps({"view": view.key(), "sheet": values}, ensure_ascii=False, indent=1)
    _TEXTS.write_text(text + "\n", encoding="utf-8", newline="\n")
    _MAPS.write_bytes(payload)


def main() -> None:
    """Open the app, take what its first page shows live, and store it."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600).run()
    shown = app.session_state["shown"]
    store(shown.view, shown.sheet)
    print(f"Stored {shown.sheet.headline!r}: {len(shown.sheet.payload):,} bytes of maps.")


if __name__ == "__main__":
    main()
