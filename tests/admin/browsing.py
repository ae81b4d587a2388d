"""A person at a browser without scripts: follows links, fills in forms, sends what a form would send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import html5lib
import httpx

from tests.harness import RunningGateway

PASSWORD = "correct horse battery 9"
FORM = {"content-type": "application/x-www-form-urlencoded"}
_INLINE = frozenset({"a", "b", "code", "small", "span", "strong", "time"})
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass(slots=True)
class Operator:
    """`client` keeps cookies. `submit` sends a form as the page at `page` has it."""

    gateway: RunningGateway
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def csrf(self, page: str = "/admin/keys/new") -> str:
        found = _CSRF.search((await self.client.get(page)).text)
        assert found is not None, f"{page} has no form"
        return found[1]

    async def submit(self, path: str, page: str = "/admin/keys/new", **fields: str) -> httpx.Response:
        return await self.client.post(path, data={"csrf": await self.csrf(page), **fields})

    async def set_up(self, password: str = PASSWORD) -> httpx.Response:
        link = f"/admin/setup/{self.gateway.setup_token}"
        return await self.submit(link, link, username="admin", password=password)

    async def sign_in(self, password: str = PASSWORD, username: str = "admin", **fields: str) -> httpx.Response:
        return await self.submit("/admin/login", "/admin/login", username=username, password=password, **fields)


def visitor(gateway: RunningGateway, **options: Any) -> Operator:
    """Somebody without cookies."""
    return Operator(gateway, httpx.AsyncClient(base_url=gateway.url, timeout=30, **options))


def parse(html: str) -> ElementTree.Element:
    """The page as a browser understands it; drawings under their plain names too."""
    tree: ElementTree.Element = html5lib.parse(html, namespaceHTMLElements=False)
    for element in tree.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return tree


def values_of(html: str) -> dict[str, str]:
    """What the fields of a page are filled with, by name; the last of each."""
    found: dict[str, str] = {}
    for element in parse(html).iter():
        name = element.get("name")
        if element.tag == "input" and name and (element.get("type") != "checkbox" or "checked" in element.attrib):
            found[name] = element.get("value", "")
        elif element.tag == "textarea" and name:
            found[name] = "".join(element.itertext())
        elif element.tag == "select" and name:
            chosen = [option for option in element.iter("option") if "selected" in option.attrib]
            found[name] = (chosen[0] if chosen else next(element.iter("option"))).get("value", "")
    return found


def fault_of(html: str, name: str) -> str:
    """The words beside a field that is marked as wrong."""
    for element in parse(html).iter():
        if element.get("name") == name and element.get("type") != "hidden":
            assert element.get("aria-invalid") == "true", f"{name} is not marked"
            ids = element.get("aria-describedby", "").split()
            assert f"{name}-fault" in ids, f"{name} does not point at its fault"
    return next(
        " ".join("".join(element.itertext()).split())
        for element in parse(html).iter()
        if element.get("id") == f"{name}-fault"
    )


def text_of(html: str) -> str:
    """The words of a page, in one line."""
    body = parse(html).find("body")
    assert body is not None
    return words_of(body)


def words_of(element: ElementTree.Element) -> str:
    """The words inside, in one line; what stands in boxes of its own is apart, drawings are not read."""
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: ElementTree.Element) -> Iterator[str]:
    yield element.text or ""
    for inner in element:
        if isinstance(inner.tag, str) and inner.tag != "svg":
            apart = inner.tag not in _INLINE or "sub" in inner.get("class", "").split()
            yield " " if apart else ""
            yield from _pieces(inner)
            yield " " if apart else ""
        yield inner.tail or ""
