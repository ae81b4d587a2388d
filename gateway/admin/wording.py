"""Numbers, spans and moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_SUFFIXES = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def count(number: float) -> str:
    """`812`, `12.4k`, `3.1M`: at most three digits and a suffix."""
    for size, suffix in _SUFFIXES:
        if abs(number) >= size * 0.9995:
            scaled = number / size
            text = f"{scaled:.0f}" if abs(scaled) >= 99.95 else f"{scaled:.1f}"
            return text.removesuffix(".0") + suffix
    return f"{number:.0f}" if number == int(number) else f"{number:.1f}"


def exact(number: int) -> str:
    """`1,234,567`."""
    return f"{number:,}"


def size(count_of_bytes: int) -> str:
    """`1.2 GiB`, `64 MiB`."""
    number, unit = (count_of_bytes / 2**30, "GiB") if count_of_bytes >= 2**30 else (count_of_bytes / 2**20, "MiB")
    return f"{number:.1f}".removesuffix(".0") + f" {unit}"


def duration(milliseconds: float) -> str:
    """`448 ms`, `1.4 s`, `2 min 3 s`, `3 h 20 min`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def remaining(seconds: float) -> str:
    """How long something still lasts: `41 s`, `12 min`, `3 h`. Never 0."""
    whole = max(1, -int(-seconds // 1))
    if whole < 90:
        return f"{whole} s"
    return f"{-(-whole // 60)} min" if whole < 5400 else f"{-(-whole // 3600)} h"


def percent(share: float | None, places: int = 1) -> str:
    """A share of 1 as `99.3 %`; a dash where unknown. Only a true whole is shown as 100 %."""
    if share is None:
        return "–"
    shown = round(share * 100, places)
    if shown >= 100 and share < 1:
        shown = 100 - 10.0**-places
    return f"{shown:.{places}f} %".replace(f".{'0' * places} %", " %")


def change(now: float, before: float) -> str:
    """By how much a figure changed against the period before: `+8 %`, `−3 %`; a dash without a base."""
    if before == 0:
        return "–"
    moved = round((now - before) / before * 100)
    return f"+{moved} %" if moved > 0 else f"−{-moved} %" if moved < 0 else "±0 %"


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def stamp(at_ms: int) -> str:
    """For `<time datetime>`."""
    return moment(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(at_ms: int) -> str:
    """`14:00:10`, UTC."""
    return moment(at_ms).strftime("%H:%M:%S")


def full_time(at_ms: int) -> str:
    """`2026-11-21 14:00:10 UTC`."""
    return moment(at_ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(at_ms: int) -> str:
    return moment(at_ms).strftime("%Y-%m-%d")
