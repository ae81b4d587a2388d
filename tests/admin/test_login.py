"""Signing in and out: cookies, throttle, and where people are sent afterwards."""

from __future__ import annotations

import pytest

from tests.admin.browsing import Operator, text_of, values_of, visitor
from tests.harness import RunningGateway, running_gateway

pytestmark = pytest.mark.anyio

PAYLOADS = [
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/%09/evil.test",
    "/\t/evil.test",
    "https:evil.test",
    "https://evil.test",
    "http:/evil.test",
    "HTTPS://evil.test/admin",
    "javascript:alert(1)",
    "data:text/html,x",
    "/admin\r\nSet-Cookie: x=1",
    "/admin%0d%0aLocation: //evil.test",
    "/admin@evil.test",
    "/admin/..//evil.test",
    "/admin/../../x",
    "/admin//evil.test",
    "/admin/login",
    "/admin/logout",
    "/admin/setup/x",
    "/admin?next=//evil.test#//evil",
    "/admin/keys#x",
    "/administrator",
    "/v1/models",
    "/",
    "",
    ".",
    "admin",
    " /admin",
    "/admin ",
    "/admin/keys\x00",
    "/admin/keys\x7f",
    "/admin/k\u00e9ys",
    "/\u2044evil.test",
    "/admin/keys;//evil",
    "/admin/keys?x=<script>",
    "/admin/keys?x=\\\\evil",
    "@evil.test",
    "/.evil.test",
]


async def test_signing_in_leads_nowhere_but_to_our_pages(operator: Operator) -> None:
    guest = visitor(operator.gateway)
    async with guest.client:
        for wanted in PAYLOADS:
            guest.client.cookies.clear()
            got = await guest.sign_in(next=wanted)

            assert (got.status_code, got.headers["location"]) == (303, "/admin"), wanted
            assert "x=1" not in got.headers.get("set-cookie", "")


@pytest.mark.parametrize("wanted", ["/admin/requests?status=failed&range=24h", "/admin/keys", "/admin/requests/req_0a"])
async def test_signing_in_leads_back_to_where_one_wanted_to_go(operator: Operator, wanted: str) -> None:
    guest = visitor(operator.gateway)
    async with guest.client:
        sent = await guest.get(wanted)
        form = await guest.get(sent.headers["location"])
        got = await guest.sign_in(next=values_of(form.text)["next"])

    assert (sent.status_code, sent.headers["location"].split("?")[0]) == (303, "/admin/login")
    assert got.headers["location"] == wanted


async def test_a_wrong_password_is_refused_calmly_and_alike_for_unknown_people(operator: Operator) -> None:
    guest = visitor(operator.gateway)
    async with guest.client:
        wrong = await guest.sign_in("wrong password 123")
        unknown = await guest.sign_in("wrong password 123", username="nobody")

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert "The user name or the password is wrong." in text_of(wrong.text)
    assert text_of(wrong.text) == text_of(unknown.text)
    assert "wrong password 123" not in wrong.text


async def test_after_many_failures_one_has_to_wait_and_is_told_how_long(operator: Operator) -> None:
    guest = visitor(operator.gateway)
    async with guest.client:
        for _ in range(6):
            got = await guest.sign_in("wrong password 123")

    assert got.status_code == 429
    assert int(got.headers["retry-after"]) >= 1
    assert "Wait" in text_of(got.text)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(gateway: RunningGateway) -> None:
    guest = visitor(gateway)
    async with guest.client:
        got = await guest.set_up()

    cookie = next(value for value in got.headers.get_list("set-cookie") if value.startswith("gw_session="))
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "Domain" not in cookie


async def test_over_https_the_cookie_is_bound_to_host_and_encryption(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with running_gateway(tmp_path, trusted_proxies=("127.0.0.1/32",)) as gateway:
        guest = visitor(gateway, headers={"x-forwarded-proto": "https"}, cookies={})
        async with guest.client:
            # The client keeps Secure cookies to itself on plain http, so they are handed on by hand.
            link = f"/admin/setup/{gateway.setup_token}"
            page = await guest.get(link)
            guest_cookie = page.headers["set-cookie"].split(";")[0]
            got = await guest.client.post(
                link,
                data={"csrf": values_of(page.text)["csrf"], "username": "admin", "password": "correct horse battery 9"},
                headers={"cookie": guest_cookie},
            )

    cookie = next(value for value in got.headers.get_list("set-cookie") if value.startswith("__Host-gw="))
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
    assert got.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_cookie_from_before_signing_in_means_nothing_afterwards(operator: Operator) -> None:
    guest = visitor(operator.gateway)
    async with guest.client:
        await guest.get("/admin/login")
        before = dict(guest.client.cookies)
        await guest.sign_in()
        after = dict(guest.client.cookies)

    assert "gw_session" not in before
    assert before["gw-guest_session"] != after["gw_session"]


async def test_signing_out_ends_this_session_and_no_other(operator: Operator) -> None:
    other = visitor(operator.gateway)
    async with other.client:
        await other.sign_in()
        stolen = dict(operator.client.cookies)
        out = await operator.submit("/admin/logout")
        thief = visitor(operator.gateway, cookies=stolen)
        async with thief.client:
            got = await thief.get("/admin")

        assert (out.status_code, out.headers["location"]) == (303, "/admin/login")
        assert "gw_session" not in operator.client.cookies
        assert got.status_code == 303
        assert (await other.get("/admin")).status_code == 200


async def test_a_script_whose_session_is_over_is_sent_to_sign_in(guest: Operator) -> None:
    got = await guest.get("/admin?range=24h", **{"hx-request": "true"})

    assert got.status_code == 401
    assert got.headers["hx-redirect"] == "/admin/login?next=%2Fadmin%3Frange%3D24h"


async def test_who_is_signed_in_need_not_sign_in_again(operator: Operator) -> None:
    got = await operator.get("/admin/login?next=/admin/keys")

    assert (got.status_code, got.headers["location"]) == (303, "/admin/keys")


async def test_plain_http_from_elsewhere_is_told_why_it_cannot_sign_in(gateway: RunningGateway) -> None:
    got = await gateway.client.get("/admin/login", headers={"host": "192.0.2.1:8080"})

    assert "the browser will not keep you signed in" in text_of(got.text)
    assert all("Secure" in value for value in got.headers.get_list("set-cookie"))


async def test_the_theme_is_written_by_the_server_so_that_nothing_flashes(operator: Operator) -> None:
    got = await operator.submit("/admin/theme", theme="dark", next="/admin/keys")

    assert got.headers["location"] == "/admin/keys"
    assert 'data-theme="dark"' in (await operator.get("/admin")).text


async def test_an_unknown_theme_changes_nothing(operator: Operator) -> None:
    got = await operator.submit("/admin/theme", theme="neon")

    assert got.status_code == 400
    assert 'data-theme="auto"' in (await operator.get("/admin")).text
