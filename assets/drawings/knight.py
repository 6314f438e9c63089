"""Draws the chess knight of the gallery: `python assets/drawings/knight.py` writes assets/pictures/knight.png."""

from pathlib import Path

from PIL import Image, ImageDraw

SIDE_PX = 480
OVERSAMPLING = 4  # drawn larger, then shrunk, for smooth edges
POINTS_PER_CURVE = 12
BLACK, WHITE = 30, 255

Point = tuple[float, float]

# Columns and rows on a board of 100 by 100. The horse looks left; no turn and no mirroring of the picture is itself.
HORSE: tuple[Point, ...] = (
    (30, 80), (31, 70), (36, 62), (43, 54), (44, 49), (37, 51), (31, 54), (27, 59), (22, 61), (17, 57), (15, 52),
    (17, 46), (22, 38), (27, 30), (31, 22), (36, 17), (36, 10), (38, 6), (43, 11), (47, 14), (58, 16), (69, 23),
    (77, 34), (81, 48), (82, 64), (81, 80),
)  # fmt: skip
MANE: tuple[Point, ...] = (
    (47, 21), (57, 23), (66, 31), (71, 42), (73, 54), (72, 68), (75, 68), (76, 54), (74, 41), (68, 29), (58, 20),
)  # fmt: skip
EYE = (33, 27, 37.5, 31.5)
COLLAR, FOOT = (22, 78, 86, 84), (16, 86, 92, 95)


def draw() -> Image.Image:
    """The knight, dark on white: 480×480, mode L."""
    scale = SIDE_PX * OVERSAMPLING / 100
    image = Image.new("L", (SIDE_PX * OVERSAMPLING,) * 2, WHITE)
    pen = ImageDraw.Draw(image)
    for outline, colour in ((HORSE, BLACK), (MANE, WHITE)):
        pen.polygon([(column * scale, row * scale) for column, row in smooth(outline)], fill=colour)
    pen.ellipse([number * scale for number in EYE], fill=WHITE)
    for box in (COLLAR, FOOT):
        pen.rounded_rectangle([number * scale for number in box], radius=2 * scale, fill=BLACK)
    return image.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def smooth(outline: tuple[Point, ...]) -> list[Point]:
    """A closed curve through all points of `outline` (Catmull and Rom 1974)."""
    count = len(outline)
    return [
        _between(outline[number - 1], outline[number], outline[(number + 1) % count], outline[(number + 2) % count], t)
        for number in range(count)
        for t in (part / POINTS_PER_CURVE for part in range(POINTS_PER_CURVE))
    ]


def _between(before: Point, start: Point, end: Point, after: Point, t: float) -> Point:
    """The point at `t`, 0..1, of the curve from `start` to `end`."""
    column, row = (
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(before, start, end, after, strict=True)
    )
    return column, row


if __name__ == "__main__":
    draw().save(Path(__file__).resolve().parents[1] / "pictures" / "knight.png", optimize=True)
