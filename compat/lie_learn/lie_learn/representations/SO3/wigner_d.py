"""The one name that escnn imports from lie_learn; only its 3-D groups call it."""

from typing import NoReturn


def wigner_D_matrix(*_args: object, **_options: object) -> NoReturn:  # noqa: N802 - escnn imports it by this name
    """Raise: Wigner D matrices belong to 3-D groups, which this installation leaves out."""
    raise RuntimeError(
        "3-D groups of escnn are not installed: lie_learn is a stand-in for planar groups "
        "(C4, D4, C8, D8, SO(2)). Use a planar group, or install the real lie_learn and py3nj."
    )
