"""Why an operation does not commute, in words."""

ALONG_ONE_SIDE = "it works along one side of the maps alone"


LISTED = "The output lists its places in an order that turns and mirrors change."


# What an operation does that breaks, in words.
_REASONS = {
    "slice": "it keeps pixels that do not lie about the centre",
    "select": "it takes one row or column",
    "roll": "it moves the maps to one side",
    "flip": "it mirrors the maps",
    "constant_pad_nd": "it pads one side more than the other",
    "reflection_pad2d": "it pads one side more than the other",
    "replication_pad2d": "it pads one side more than the other",
    "upsample_bilinear2d": "it resizes with a grid that is off centre",
    "upsample_bicubic2d": "it resizes with a grid that is off centre",
    "upsample_nearest2d": "it takes the nearest pixel to one side of the centre",
    "_upsample_nearest_exact2d": "it takes the nearest pixel to one side of the centre",
    "write": "it writes into a part of the maps that is not centred",
    "cat": "it puts maps side by side",
    "rot90": "it turns the maps",
    "index": "it picks pixels that do not lie about the centre",
    "index_select": "it picks pixels that do not lie about the centre",
    **dict.fromkeys(
        ("amax", "amin", "max", "min", "mean", "sum", "prod", "logsumexp", "var", "std", "_softmax", "cumsum"),
        ALONG_ONE_SIDE,
    ),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), "its windows do not lie about the centre"),
    **dict.fromkeys(("view", "_unsafe_view", "reshape"), "it reads rows and columns as something else"),
}


def reason_of(operation: str) -> str:
    """What an operation does that breaks, by its name."""
    return _REASONS.get(operation, f"{operation} treats height and width, or their ends, differently")
