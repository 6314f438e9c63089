"""Draw docs/floors.svg, the floors of the code: `python assets/drawings/floors.py`.

The texts belong to the drawing; tests/project/test_floors_drawing.py checks that its folders stand in the order of
their imports.
"""

from pathlib import Path
from xml.sax.saxutils import escape

TO = Path(__file__).resolve().parents[2] / "docs" / "floors.svg"

# From the top floor to the ground: (folder, what it is, rooms from the lowest to the highest).
FLOORS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("app.py", "the list of pages", ()),
    (
        "explorer/pages",
        "what a visitor sees, drawn with Streamlit",
        ("session", "widgets", "look", "sizes", "orbit", "mends", "break_it", "train", "paper", "about"),
    ),
    (
        "explorer",
        "the app without its pages: all that the command line needs",
        (
            *("pictures", "serving", "data", "training", "runs"),
            *("studies", "figures", "layer_view", "reproduction", "commands"),
        ),
    ),
    ("models", "only networks: kits, families, the catalog", ()),
    (
        "equivariance",
        "the library, installable by itself; public names in api.py and report.py",
        ("groups", "layers", "following", "theory", "measurement", "checking"),
    ),
)

WIDTH, MARGIN, GAP, PAD = 960, 24, 14, 14
LEFT = 66  # room for the arrow
LINE, ROOM, ROOMS_IN_ROW = 22, 30, 5
STYLE = """
  .paper { fill: #ffffff } .floor { fill: #eef2f7; stroke: #8a97a8 } .room { fill: #ffffff; stroke: #b3bdca }
  .ground { fill: #e2efe6; stroke: #5d8f6d } text { fill: #1c2430; font: 14px Inter, system-ui, sans-serif }
  .said { fill: #4a5666 } .arrow { stroke: #4a5666; fill: none; stroke-width: 2 }
  .code { font: 13px 'IBM Plex Mono', ui-monospace, monospace } .name { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #12161c } .floor { fill: #1d242e; stroke: #5a6779 } .room { fill: #12161c; stroke: #445062 }
    .ground { fill: #1b2d22; stroke: #5d8f6d } text { fill: #e6ebf2 } .said { fill: #aab6c6 }
    .arrow { stroke: #aab6c6 }
  }
"""


def drawing() -> str:
    """The whole drawing, as SVG."""
    shapes: list[str] = []
    top = MARGIN
    for floor, meaning, rooms in FLOORS:
        height = _draw_floor(shapes, floor, meaning, rooms, top)
        top += height + GAP
    height = top - GAP + MARGIN
    beside = f"translate({MARGIN + 23} {height / 2}) rotate(90)"
    head = f"M{MARGIN + 6} {height - MARGIN - 10} l6 10 l6 -10"
    shapes += [
        f'<path class="arrow" d="M{MARGIN + 12} {MARGIN} V{height - MARGIN} {head}"/>',
        f'<text class="said" text-anchor="middle" transform="{beside}">Imports run downwards only</text>',
    ]
    title = "The floors of the code, app.py at the top and the library at the bottom; imports run downwards only"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
            *shapes,
            "</svg>",
            "",
        ]
    )


def _draw_floor(shapes: list[str], floor: str, meaning: str, rooms: tuple[str, ...], top: int) -> int:
    """Adds one floor; its height."""
    rows = [rooms[start : start + ROOMS_IN_ROW] for start in range(0, len(rooms), ROOMS_IN_ROW)]
    height = 2 * PAD + LINE - 6 + len(rows) * (ROOM + 8)
    width = WIDTH - LEFT - MARGIN
    kind = "ground" if floor == "equivariance" else "floor"
    name = floor if floor.endswith(".py") else f"{floor}/"
    shapes += [
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{width}" height="{height}" rx="6"/>',
        f'<text class="name code" x="{LEFT + PAD}" y="{top + PAD + 11}">{escape(name)}</text>',
        f'<text class="said" x="{LEFT + PAD + 160}" y="{top + PAD + 11}">{escape(meaning)}</text>',
    ]
    step = (width - 2 * PAD + 8) / ROOMS_IN_ROW
    for row, names in enumerate(rows):
        y = top + PAD + LINE + row * (ROOM + 8)
        for column, room in enumerate(names):
            x = LEFT + PAD + column * step
            shapes += [
                f'<rect class="room" x="{x:g}" y="{y}" width="{step - 8:g}" height="{ROOM}" rx="4"/>',
                f'<text class="code" x="{x + 10:g}" y="{y + 20}">{escape(room)}</text>',
            ]
    return height


if __name__ == "__main__":
    TO.write_text(drawing(), encoding="utf-8")
