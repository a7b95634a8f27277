"""Money as it is typed: dollars, which the API counts in nano-dollars."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import typer

NANO = Decimal(1_000_000_000)
MOST_DOLLARS = Decimal(1_000_000_000)


def nano(given: str) -> int:
    """Dollars, as 1.50 or $1.50, in nano-dollars."""
    try:
        dollars = Decimal(given.strip().removeprefix("$").replace(",", ""))
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or not 0 <= dollars <= MOST_DOLLARS:
        raise typer.BadParameter(f"{given!r} is not an amount of dollars, as 1.50")
    return int(dollars * NANO)


def per_million(given: str) -> int:
    """Dollars per million tokens, as price lists write them, in nano-dollars per token."""
    return nano(given) // 1_000_000
