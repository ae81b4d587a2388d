"""A headless Chromium that talks to nobody but the gateway, and keeps what its console says."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("Chromium is not installed: apt-get install chromium (or run pytest -m 'not browser')")
    return found


@dataclass(slots=True)
class Window:
    """`complaints` are errors of scripts and of the content security policy."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def window(base_url: str, **options: Any) -> AsyncIterator[Window]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        context = await browser.new_context(base_url=base_url, **options)
        opened = Window(context, await context.new_page())
        opened.page.set_default_timeout(10_000)
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("console", lambda said: _note(opened, said.type, said.text))
        try:
            yield opened
        finally:
            await browser.close()


def _note(opened: Window, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        opened.complaints.append(text)
