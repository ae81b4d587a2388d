"""The whole site under a path of its own, behind a proxy that strips it or does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.admin.browsing import Operator, parse, visitor
from tests.harness import running_gateway

pytestmark = pytest.mark.anyio

ROOT = "/tools/gateway"


async def crawl(operator: Operator, start: str) -> dict[str, int]:
    """Follow every link and fetch every asset; the status of each."""
    found: dict[str, int] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        got = await operator.get(path)
        found[path] = got.status_code
        if "text/html" not in got.headers.get("content-type", ""):
            continue
        for element in parse(got.text).iter():
            for attribute in ("href", "src", "hx-get", "action", "hx-post"):
                value = (element.get(attribute) or "").split("#")[0]
                if value.startswith("http"):
                    continue
                assert not value or value.startswith((ROOT + "/", ROOT)), (path, element.tag, attribute, value)
                if value and attribute in ("href", "src", "hx-get") and "?preset" not in value:
                    waiting.append(value)
    return found


@pytest.mark.parametrize("stripped", [False, True])
async def test_every_link_and_asset_works_below_the_path(tmp_path: Path, stripped: bool) -> None:
    async with running_gateway(tmp_path, root_path=ROOT) as gateway:
        operator = visitor(gateway)
        async with operator.client:
            done = await operator.set_up()
            assert done.headers["location"] == f"{ROOT}/admin/setup/provider"
            await gateway.call("demo/echo")
            await gateway.rows()

            found = await crawl(operator, f"{ROOT}/admin")
            if stripped:
                found |= {path: (await operator.get(path.removeprefix(ROOT))).status_code for path in list(found)}

    assert len(found) > 30
    assert set(found.values()) == {200}, [path for path, status in found.items() if status != 200]


async def test_addresses_shown_to_clients_carry_the_path(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, root_path=ROOT) as gateway:
        operator = visitor(gateway)
        async with operator.client:
            await operator.set_up()
            page = await operator.get(f"{ROOT}/admin/setup/first-call")
            operator.client.cookies.clear()
            sent = await operator.get(f"{ROOT}/admin/keys")

    assert f"{gateway.url}{ROOT}/v1" in page.text
    assert sent.headers["location"] == f"{ROOT}/admin/login?next=%2Fadmin%2Fkeys"
