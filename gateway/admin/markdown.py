"""Markdown into HTML that does no harm: the only place that knows how, and the only HTML that is not a template's."""

from __future__ import annotations

import msgspec
import nh3
from markdown_it import MarkdownIt

_TAGS = frozenset(
    {
        *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "a"),
    }
)
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}


class CleanHtml(msgspec.Struct, frozen=True):
    """HTML that a template shows as it is."""

    html: str

    def __html__(self) -> str:
        return self.html


def render(text: str) -> CleanHtml:
    """HTML in the text is text. Of what is made of it only harmless tags stay; pictures and scripts are none.

    There are no tables: Markdown has no words for what a table and its heads are.
    """
    # A parser of its own for each call: it keeps state while it works.
    made = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").render(text)
    return CleanHtml(
        nh3.clean(
            made, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener noreferrer nofollow"
        )
    )
