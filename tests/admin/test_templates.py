"""What no template may hold, read in their source."""

from __future__ import annotations

import re

import pytest

from gateway import resources

TEMPLATES = sorted(resources.TEMPLATES.rglob("*.html"))
PAGES = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(resources.TEMPLATES).as_posix())

BANNED = {
    "unescaped text": r"\|\s*safe\b|Markup|autoescape\s+false",
    "htmx that needs eval": r"hx-on|hx-live|js:|javascript:",
    "trigger filter, which needs eval": r"hx-trigger=\"[^\"]*\[",
    "inline style": r"<style|\sstyle\s*=",
    "inline handler": r"\son[a-z]+\s*=\s*[\"']",
    "unquoted attribute": r"\s[a-z-]+=\{\{",
    "address of another site": r"(src|href|action)=\"(https?:)?//",
    "form that says nothing of its method": r"<form(?![^>]*\bmethod=)",
    "button without a type": r"<button(?![^>]*\btype=)",
    "text inside a script": r"<script(?![^>]*\bsrc=)",
}


@PAGES
@pytest.mark.parametrize("fault", BANNED)
def test_a_template_has_no(path, fault: str) -> None:  # type: ignore[no-untyped-def]
    assert not re.search(BANNED[fault], path.read_text(), re.IGNORECASE), fault


@PAGES
def test_every_form_that_changes_something_carries_the_token(path) -> None:  # type: ignore[no-untyped-def]
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.DOTALL):
        assert "csrf_field(visit)" in form or 'include "providers/fields.html"' in form


@PAGES
def test_htmx_names_its_target_and_swap_itself(path) -> None:  # type: ignore[no-untyped-def]
    """Inheritance is explicit in htmx 4: an acting element without them would replace its own content."""
    for tag in re.findall(r"<\w+[^>]*\shx-(?:get|post)=[^>]*>", path.read_text()):
        assert "hx-swap=" in tag
        assert "hx-target=" in tag or 'hx-swap="none"' in tag
