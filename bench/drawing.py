"""A little SVG: scales, axes, marks. Light or dark as the reader's system is; names stand beside their colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 720
LETTER = 6.6
"""The mean width of a letter at the size of the words."""

_STYLE = """
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
  text { fill: #444a54; } .head { font-size: 14px; font-weight: 600; fill: #1c2027; } .own { font-weight: 600; }
  .line { stroke: #d9dde3; } .mark { fill: #8a93a0; stroke: #8a93a0; } .path { fill: none; stroke-width: 1.75; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .gateway { fill: #2563c9; stroke: #2563c9; } .ceiling { fill: #16857a; stroke: #16857a; }
  .nginx { fill: #6d7683; stroke: #6d7683; } .portkey { fill: #b4552d; stroke: #b4552d; }
  .litellm { fill: #8b4bb0; stroke: #8b4bb0; } .direct { fill: #a3abb6; stroke: #a3abb6; }
  .starlette { fill: #5a9c3c; stroke: #5a9c3c; }
  text.gateway, text.ceiling, text.starlette, text.nginx, text.portkey, text.litellm, text.direct { stroke: none; }
  .path { fill: none !important; }
  @media (prefers-color-scheme: dark) {
    text { fill: #b5bcc7; } .head { fill: #eef0f3; } .line { stroke: #3a414c; }
    .gateway { fill: #6ea8ff; stroke: #6ea8ff; } .ceiling { fill: #4fc3b5; stroke: #4fc3b5; }
    .nginx { fill: #9aa4b2; stroke: #9aa4b2; } .portkey { fill: #f0955f; stroke: #f0955f; }
    .litellm { fill: #c58be8; stroke: #c58be8; } .direct { fill: #77808d; stroke: #77808d; }
    .starlette { fill: #96cc7a; stroke: #96cc7a; }
  }
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to places: `first` and `last` are the places of `least` and `most`."""

    least: float
    most: float
    first: float
    last: float
    is_log: bool = False

    def at(self, value: float) -> float:
        low, high, here = self.least, self.most, min(max(value, self.least), self.most)
        if self.is_log:
            low, high, here = math.log10(low), math.log10(high), math.log10(here)
        return round(self.first + (here - low) / (high - low) * (self.last - self.first), 1)

    def ticks(self) -> list[float]:
        """Powers of ten, with 3 of each where there are few; or some four round steps."""
        if self.is_log:
            powers = range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1)
            several = (1, 3) if len(powers) <= 4 else (1,)
            found = [several_of * 10.0**power for power in powers for several_of in several]
        else:
            step = _round_step((self.most - self.least) / 4)
            found = [number * step for number in range(math.ceil(self.least / step), int(self.most / step) + 1)]
        return [tick for tick in found if self.least <= tick <= self.most]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


def log_scale(values: Sequence[float], first: float, last: float) -> Scale:
    """Reaches a little beyond them on both sides."""
    low, high = min(values), max(values)
    return Scale(low / 1.4, high * 1.4, first, last, is_log=True)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def text(x: float, y: float, words: str, shade: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{_class(shade)}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, shade: str = "line") -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"{_class(shade)}/>'


def dot(x: float, y: float, shade: str, told: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="4.5"{_class(shade)}><title>{escape(told)}</title></circle>'


def path(points: Sequence[tuple[float, float]], shade: str) -> str:
    steps = " L".join(f"{x:g} {y:g}" for x, y in points)
    return f'<path d="M{steps}"{_class(f"path {shade}")}/>'


def _class(shade: str) -> str:
    return f' class="{shade}"' if shade else ""


def shade_of(target: str) -> str:
    return target.lower()


def apart(places: Sequence[float], least: float) -> list[float]:
    """The same places in the same order, moved so that words of that height do not cover each other."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    found = list(places)
    for before, after in zip(order, order[1:], strict=False):
        found[after] = max(found[after], found[before] + least)
    return found


def picture(height: float, title: str, told: str, parts: Sequence[str]) -> str:
    """`told` says in words what the picture shows."""
    lines = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
        f'height="{height:g}" role="img" aria-labelledby="t d">\n<title id="t">{escape(title)}</title>\n'
        f'<desc id="d">{escape(told)}</desc>\n<style>{_STYLE}</style>\n{text(0, 18, title, "head")}\n{lines}\n</svg>\n'
    )
