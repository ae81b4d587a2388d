"""Templates into HTML answers: the only place that knows Jinja, and where every page gets its headers."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from gateway import __version__, resources
from gateway.admin import wording
from gateway.admin.assets import Assets
from gateway.model.registry import ApiFormat
from gateway.money import exact_dollars, format_dollars

HEADERS: Mapping[str, str] = {
    # font-src is the one addition to what the security rules list: without it the font stays unread.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Cookie, HX-Request",
}
_STRICT_TRANSPORT = "max-age=31536000"


class Pages:
    """Renders templates with the words and addresses that all of them use."""

    def __init__(self, assets: Assets, root_path: str) -> None:
        environment = Environment(
            loader=FileSystemLoader(resources.TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.globals.update(
            asset=assets.url,
            root=root_path,
            version=__version__,
            api_formats=tuple(one.value for one in ApiFormat),
        )
        environment.filters.update(
            compact=wording.count,
            exact=wording.exact,
            duration=wording.duration,
            remaining=wording.remaining,
            percent=wording.percent,
            stamp=wording.stamp,
            clock=wording.clock,
            full_time=wording.full_time,
            day=wording.day,
            dollars=format_dollars,
            exact_dollars=exact_dollars,
        )
        self._environment = environment

    def html(self, template: str, values: Mapping[str, object], status: int = 200) -> HTMLResponse:
        return HTMLResponse(self._environment.get_template(template).render(values), status)


def protect(response: Response, scheme: str) -> Response:
    """Give an answer of the admin site the headers that keep browsers strict."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if scheme == "https":
        response.headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
    return response
