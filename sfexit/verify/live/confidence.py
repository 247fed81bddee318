"""What a sample proves, in numbers. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Statement:
    """Of `population` rows `drawn` were chosen by chance and read again; `wrong` differed."""

    drawn: int
    wrong: int
    population: int

    @property
    def most_wrong(self) -> float:
        """The share of wrong rows that 95 % confidence cannot rule out; 1.0 when nothing was read.

        The exact (Clopper and Pearson) upper bound of a binomial share; with none wrong it is
        1 - 0.05 ** (1/n), the "rule of three". Drawn without putting back, so the true bound is
        lower still; when all rows were read it is what was found.
        """
        if self.drawn <= 0:
            return 1.0
        if self.drawn >= self.population:
            return self.wrong / self.drawn
        if self.wrong == 0:
            return float(1 - (1 - CONFIDENCE) ** (1 / self.drawn))
        low, high = self.wrong / self.drawn, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            if _at_most(self.wrong, self.drawn, middle) > 1 - CONFIDENCE:
                low = middle
            else:
                high = middle
        return high

    @property
    def words(self) -> str:
        """The statement as it is printed."""
        if not self.population:
            return "no rows, so none was read again"
        if not self.drawn:
            return "no row was read again, so nothing is known of values"
        if self.drawn >= self.population:
            clean = "all as archived" if not self.wrong else f"{self.wrong:,} of them differ"
            return f"all {self.population:,} rows were read again, field by field: {clean}"
        bound = self.most_wrong
        clean = "none differed" if not self.wrong else f"{self.wrong:,} differed"
        return (
            f"{self.drawn:,} rows drawn by chance from {self.population:,} were read again, field "
            f"by field; {clean}: with 95 % confidence fewer than {bound:.2%} of all rows are wrong"
        )


def _at_most(wrong: int, drawn: int, share: float) -> float:
    """The chance of at most `wrong` wrong ones among `drawn`."""
    if share >= 1:
        return 0.0
    total = 0.0
    for k in range(wrong + 1):
        log = (
            math.lgamma(drawn + 1) - math.lgamma(k + 1) - math.lgamma(drawn - k + 1)
            + k * math.log(share) + (drawn - k) * math.log1p(-share)
        )  # fmt: skip
        total += math.exp(log)
    return min(total, 1.0)
