"""The charts of a page that AppTest ran."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def charts_of(app: AppTest) -> dict[str, dict[str, Any]]:
    """What each chart was given, by its key: "figure" (data and layout), "words", …"""
    found = {}
    for element in app.get("bidi_component"):
        if element.proto.component_name == "chart_view":
            _, _, key = element.proto.id.split("-", 2)  # $$ID, a hash, the key
            found[key] = json.loads(element.proto.json)
    return found
