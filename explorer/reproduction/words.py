"""Figures and differences in words: with their sign, with their interval, and bounds of one digit."""

import math
from collections.abc import Callable, Sequence

from explorer.reproduction.statistics import Difference

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def signed(value: float) -> str:
    """With its sign and one digit."""
    return f"{value + 0.0:+.1f}".replace("-0.0", "+0.0").replace("-", "−")


def percent(value: float) -> str:
    """A share of test digits, with one digit."""
    return f"{value:.1f} %"


def points(found: Difference) -> str:
    """A difference with its interval: `+2.5 points [2.0, 3.1]`."""
    return f"{signed(found.mean)} points{_after(interval(found.low, found.high))}"


def more(found: Difference, words: tuple[str, str]) -> str:
    """The same with one word for more and one for less: `2.5 points fewer [2.0, 3.1]`."""
    if found.mean >= 0:
        return f"{found.mean:.1f} points {words[0]}{_after(interval(found.low, found.high))}"
    turned = [None if end is None else -end for end in (found.high, found.low)]
    return f"{-found.mean:.1f} points {words[1]}{_after(interval(*turned))}"


def interval(low: float | None, high: float | None) -> str:
    """`[2.0, 3.1]`; empty without one."""
    if low is None or high is None:
        return ""
    return f"[{low:.1f}, {high:.1f}]".replace("-0.0", "0.0").replace("-", "−")


def alone(*found: Difference) -> str:
    """A sentence to add where an interval leaves out what another choice of test digits would have changed."""
    is_so = any(each.low is not None and not each.has_pictures for each in found)
    return " Intervals over seeds alone." if is_so else ""


def number(count: int) -> str:
    """`three`; from eleven on in digits."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def seeds_in(count: int) -> str:
    """`one seed`, `five seeds`, `12 seeds`."""
    return f"{number(count)} seed{'s' * (count != 1)}"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else list(parts))


def upper_bound(value: float) -> str:
    """A positive number rounded up to one digit, in plain text: 0.05, or 3·10⁻⁶."""
    return _one_digit(value, math.ceil)


def lower_bound(value: float) -> str:
    """The same rounded down."""
    return _one_digit(value, math.floor)


def _after(text: str) -> str:
    return f" {text}" if text else ""


def _one_digit(value: float, rounded: Callable[[float], int]) -> str:
    if value <= 0:
        return "0"
    exponent = math.floor(math.log10(value))
    digit = rounded(round(value / 10**exponent, 9))
    digit, exponent = (1, exponent + 1) if digit == 10 else (digit, exponent)
    if exponent >= -2:
        return f"{digit * 10.0**exponent:.{max(0, -exponent)}f}"
    return f"{digit}·10{str(exponent).translate(_SUPERSCRIPT)}"
