"""Student's t distribution: its tails and its quantiles. SciPy has them, but takes seconds to import."""

import math
from functools import lru_cache

_PRECISE = 1e-12


def t_above(t: float, df: float) -> float:
    """The probability of a value above `t`; df: degrees of freedom above 0, a whole number or not, or infinite."""
    if math.isinf(df):
        return 0.5 * math.erfc(t / math.sqrt(2))
    tail = 0.5 * _incomplete_beta(df / (df + t * t), df / 2, 0.5)
    return tail if t >= 0 else 1 - tail


@lru_cache(maxsize=1024)
def t_quantile(share: float, df: float) -> float:
    """The value that a `share` of the distribution lies below, 0 < share < 1: 2.776 of 0.975 with df = 4."""
    if share < 0.5:
        return -t_quantile(1 - share, df)
    above, t = 1 - share, 0.0
    while True:  # Newton's steps: the tail is convex, so they come from below, and end in rounding
        step = (t_above(t, df) - above) / _density(t, df)
        if step <= _PRECISE * t:
            return t + step
        t += step


def _density(t: float, df: float) -> float:
    if math.isinf(df):
        return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    log = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - (df + 1) / 2 * math.log1p(t * t / df)
    return math.exp(log) / math.sqrt(df * math.pi)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), 0 ≤ x ≤ 1 (DLMF 8.17)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # where the fraction converges fast
        return scale * _fraction(x, a, b) / a
    return 1 - scale * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 / (1 + d₁ / (1 + d₂ / …)) of the incomplete beta function (DLMF 8.17.22), from its end.

    It converges within a few times √max(a, b) terms (Press et al., Numerical Recipes, 6.4).
    """
    value = 1.0
    for m in range(50 + 4 * math.isqrt(math.ceil(max(a, b))), 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
        value = 1 + odd / (1 + even / value)
    return 1 / value
