"""Money as integers: costs in nano-dollars (1e-9 USD), prices in nano-dollars per million tokens."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

NANO = 1_000_000_000
PER_MILLION = 1_000_000


def parse_dollars(text: str) -> int:
    """`"0.15"` dollars as nano-dollars. Raises ValueError beyond nine decimals, below zero or above 1e6."""
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise ValueError("must be an amount in dollars, such as 0.15") from None
    if not amount.is_finite() or amount < 0 or amount > 1_000_000:
        raise ValueError("must be between 0 and 1000000 dollars")
    nano = amount * NANO
    if nano != nano.to_integral_value():
        raise ValueError("must have at most nine decimals")
    return int(nano)


def format_dollars(nano: int, places: int = 4) -> str:
    """Nano-dollars for people: `$0.0123`; more places where the amount is smaller than shown.

    A true zero is `$0`, and nothing that was spent is ever shown as zero.
    """
    if nano == 0:
        return "$0"
    exact = Decimal(nano) / NANO
    shown = round(exact, places)
    while shown == 0 and places < 9:
        places += 1
        shown = round(exact, places)
    return f"${shown:,.{places}f}" if nano > 0 else f"-${-shown:,.{places}f}"


def exact_dollars(nano: int) -> str:
    """Nano-dollars without rounding or trailing zeros: `0.15`."""
    text = f"{Decimal(nano) / NANO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact_factor(millionths: int) -> str:
    """A multiplier without rounding or trailing zeros: `0.8`."""
    return exact_dollars(millionths * (NANO // PER_MILLION))


def token_cost(tokens: int, price: int) -> int:
    """Nano-dollars of `tokens` at `price` per million, rounded half up: the one rounding of a component."""
    return (tokens * price + PER_MILLION // 2) // PER_MILLION
