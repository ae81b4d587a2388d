"""One provider's page: numbers, health, settings that two people change, deleting it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from gateway.admin.wording import day
from gateway.control import endpoints, providers
from gateway.control.backends import BackendMade
from gateway.model.registry import Provider
from gateway.routing.quota import Spend
from tests.admin.browsing import Operator, fault_of, parse, text_of, values_of
from tests.conftest import MakeProvider
from tests.desks import ANN
from tests.provider import answer, limited, refused

pytestmark = pytest.mark.anyio


@pytest.fixture
async def made(operator: Operator, provider: MakeProvider) -> BackendMade:
    return await operator.gateway.backend(await provider(answer()), name="acme")


def address(made: BackendMade) -> str:
    return f"/admin/providers/{made.provider.id}"


def stored(operator: Operator, name: str = "acme") -> Provider:
    return operator.gateway.desk.snapshot().providers[name]


def states_of(html: str, label: str) -> set[str]:
    """The CSS classes of the cells of a strip."""
    return {cell.get("class", "") for cell in strip_of(html, label).iter("rect")}


def strip_of(html: str, label: str) -> Element:
    return next(one for one in parse(html).iter("svg") if one.get("aria-label", "").startswith(label))


def monitor_of(html: str) -> str:
    return html.partition('id="monitor"')[2].partition("</section>")[0]


async def test_the_list_shows_each_provider_in_numbers(operator: Operator, made: BackendMade) -> None:
    desk = operator.gateway.desk
    await providers.update(desk, ANN, made.provider.id, {"monthly_quota": "50", "rpm_limit": 60})
    desk.state.spent[made.provider.id] = Spend(41_000_000_000, desk.clock.wall_ms())
    desk.state.of(made.backend_id).score = 0.0

    page = text_of((await operator.get("/admin/providers")).text)

    assert "acme openai_chat 50 0 % 1 unhealthy 1 1 1 $41.0000 of $50 60 / 60 0" in page
    assert "demo openai_chat 100 unknown" in page


async def test_the_page_has_all_that_belongs_to_a_provider(operator: Operator, made: BackendMade) -> None:
    await operator.gateway.call("m")

    page = await operator.get(address(made))
    words = text_of(page.text)

    for part in ("Endpoints", "Keys", "Settings", "What happened", made.endpoint.base_url, "main", "healthy"):
        assert part in words
    assert f'href="{address(made)}/models"' in page.text
    assert f'href="/admin/endpoints/{made.endpoint.id}"' in page.text
    assert f'href="/admin/provider-keys/{made.key.id}"' in page.text
    assert (await operator.get("/admin/providers/nowhere")).status_code == 404


async def test_a_key_that_no_endpoint_is_for_is_shown_all_the_same(operator: Operator, made: BackendMade) -> None:
    await endpoints.delete(operator.gateway.desk, ANN, made.endpoint.id)

    page = await operator.get(address(made))

    assert "main openai_chat no endpoint" in text_of(page.text)
    assert f'href="/admin/provider-keys/{made.key.id}"' in page.text
    assert f'href="/admin/provider-keys/paste?provider={made.provider.id}"' in page.text


async def test_every_setting_is_shown_saved_and_shown_again(operator: Operator, made: BackendMade) -> None:
    page = address(made)
    change = {
        "name": "acme-2",
        "display_name": "Acme",
        "description": "For the team.\nNot for tests.",
        "website": "https://acme.example",
        "preset": "groq",
        "priority": "7",
        "max_retries": "0",
        "is_active": "",
        "billing_type": "monthly_quota",
        "monthly_quota": "12.5",
        "quota_reset_days": "7",
        "quota_expires_at": "2030-01-31T00:00:00Z",
        "rpm_limit": "0",
        "concurrent_limit": "4",
        "metadata": '{"team": "a"}',
    }
    assert set(change) == {field.name for field in providers.FIELDS}

    got = await operator.submit(page, page, **{**values_of((await operator.get(page)).text), **change})

    assert got.status_code == 303, text_of(got.text)
    after = stored(operator, "acme-2")
    assert (after.monthly_quota, after.rpm_limit, after.max_retries, after.is_active) == (12_500_000_000, 0, 0, False)
    shown = values_of((await operator.get(page)).text)
    same = {**change, "is_active": shown["is_active"], "metadata": shown["metadata"]}
    assert {name: shown[name].strip() for name in change} == same
    assert "team" in shown["metadata"]


async def test_a_form_sent_as_it_came_changes_nothing(operator: Operator, made: BackendMade) -> None:
    page, before = address(made), stored(operator)

    got = await operator.submit(page, page, **values_of((await operator.get(page)).text))

    assert got.status_code == 303
    after = stored(operator)
    assert (after.version, after.updated_at) == (before.version + 1, after.updated_at)
    assert {name: getattr(after, name) for name in ("name", "metadata", "monthly_quota", "is_active", "preset")} == {
        name: getattr(before, name) for name in ("name", "metadata", "monthly_quota", "is_active", "preset")
    }


async def test_faults_come_back_beside_their_fields_with_what_was_typed(operator: Operator, made: BackendMade) -> None:
    page = address(made)
    values = values_of((await operator.get(page)).text)

    got = await operator.submit(page, page, **{**values, "rpm_limit": "many", "website": "javascript:alert(1)"})

    assert got.status_code == 422
    assert fault_of(got.text, "rpm_limit") == "Must be a whole number"
    assert fault_of(got.text, "website").startswith("Must be an address")
    assert values_of(got.text)["rpm_limit"] == "many"
    assert "<details" in got.text and 'id="settings" open' in got.text


async def test_two_people_changing_one_provider_lose_nothing(operator: Operator, made: BackendMade) -> None:
    page = address(made)
    mine = {**values_of((await operator.get(page)).text), "display_name": "Mine", "priority": "5"}
    await providers.update(operator.gateway.desk, ANN, made.provider.id, {"display_name": "Theirs", "rpm_limit": 9})

    late = await operator.submit(page, page, **mine)

    assert late.status_code == 409
    assert "Somebody else changed this meanwhile" in text_of(late.text)
    assert fault_of(late.text, "display_name") == "Is now Theirs"
    assert fault_of(late.text, "rpm_limit") == "Is now 9"
    again = values_of(late.text)
    assert (again["display_name"], again["priority"], again["version"]) == ("Mine", "5", "2")
    assert (await operator.submit(page, page, **again)).status_code == 303
    assert stored(operator).display_name == "Mine"


async def test_the_demo_keeps_its_preset(operator: Operator) -> None:
    page = f"/admin/providers/{stored(operator, 'demo').id}"

    got = await operator.submit(page, page, **{**values_of((await operator.get(page)).text), "rpm_limit": "60"})

    assert got.status_code == 303, text_of(got.text)
    assert (stored(operator, "demo").preset, stored(operator, "demo").rpm_limit) == ("demo", 60)


async def test_a_provider_is_disabled_and_enabled_with_one_press(operator: Operator, made: BackendMade) -> None:
    page = address(made)

    assert (await operator.submit(f"{page}/disable", page)).headers["location"] == page
    assert not stored(operator).is_active
    assert "disabled" in text_of((await operator.get(page)).text)
    await operator.submit(f"{page}/enable", page)
    assert stored(operator).is_active


async def test_the_quota_is_reset_from_the_page(operator: Operator, made: BackendMade) -> None:
    desk = operator.gateway.desk
    desk.state.spent[made.provider.id] = Spend(5_000_000_000, 1_700_000_000_000)

    got = await operator.submit(f"{address(made)}/reset-quota", address(made))

    assert got.headers["location"] == address(made)
    assert desk.state.spent[made.provider.id].used_nano == 0
    assert "counted from 0" in text_of((await operator.get(address(made))).text)


async def test_deleting_asks_for_the_name(operator: Operator, made: BackendMade) -> None:
    page = f"{address(made)}/delete"

    wrong = await operator.submit(page, page, typed="acm")
    done = await operator.submit(page, page, typed="acme")

    assert fault_of(wrong.text, "typed") == "Must be acme"
    assert done.headers["location"] == "/admin/providers"
    assert "acme" not in operator.gateway.desk.snapshot().providers


async def test_what_happened_is_told_cell_by_cell_and_event_by_event(
    operator: Operator, provider: MakeProvider
) -> None:
    gateway = operator.gateway
    made = await gateway.backend(await provider(answer(), refused(500, "it broke"), limited(60)), name="acme")
    for _ in range(3):
        await gateway.call("m")
    await gateway.rows()

    page = await operator.get(address(made))

    words = text_of(page.text)
    assert "1 answered" in words and "1 failed" in words and "1 limited" in words
    assert "HTTP 500: it broke" in words
    assert "50 % answered" in words
    assert "failed" in states_of(page.text, "openai_chat")


async def test_a_time_in_which_it_was_only_passed_by_is_not_shown_as_healthy(
    operator: Operator, provider: MakeProvider
) -> None:
    gateway = operator.gateway
    made = await gateway.backend(await provider(limited(600)), name="acme")
    await gateway.call("m")
    await gateway.rows()
    async with gateway.desk.db.write() as tx:
        await tx.execute("DELETE FROM attempts")
    await gateway.call("m")
    await gateway.rows()

    page = await operator.get(address(made))

    assert states_of(page.text, "openai_chat") == {"none", "skipped"}
    assert "no answer and no failure" in text_of(page.text)
    assert "Passed by" in text_of(page.text)


async def test_how_far_back_is_chosen_in_the_address(operator: Operator, made: BackendMade) -> None:
    hour = await operator.get(f"{address(made)}?lookback_hours=1&per_endpoint_limit=20")
    wrong = await operator.get(f"{address(made)}?lookback_hours=100&per_endpoint_limit=x")

    assert values_of(hour.text)["per_endpoint_limit"] == "20"
    assert wrong.status_code == 200
    assert "lookback_hours must be" in text_of(wrong.text)
    assert "per_endpoint_limit must be a whole number" in text_of(wrong.text)


async def test_a_strip_over_more_than_a_day_names_its_days(operator: Operator, made: BackendMade) -> None:
    clock = operator.gateway.desk.clock

    long = (await operator.get(f"{address(made)}?lookback_hours=72")).text
    short = (await operator.get(f"{address(made)}?lookback_hours=6")).text

    begins = clock.wall_ms() - 72 * 3600 * 1000
    assert day(begins) in next(title.text or "" for title in strip_of(long, "openai_chat").iter("title"))
    assert 'data-show="minute"' not in monitor_of(long)
    assert 'data-show="minute"' in monitor_of(short)


async def test_patience_is_told_in_the_seconds_that_were_set(operator: Operator, made: BackendMade) -> None:
    change = {"first_byte_seconds": 120, "idle_seconds": 2.5}
    await endpoints.update(operator.gateway.desk, ANN, made.endpoint.id, change)
    assert "120 s first, 2.5 s idle" in text_of((await operator.get(address(made))).text)


async def test_a_ledger_that_cannot_be_read_leaves_the_rest_of_the_page(operator: Operator, made: BackendMade) -> None:
    async with operator.gateway.desk.db.write() as tx:
        await tx.execute("ALTER TABLE attempts RENAME TO elsewhere")

    page = await operator.get(address(made))

    assert page.status_code == 200
    assert "The database cannot be used right now" in text_of(page.text)
    assert made.endpoint.base_url in text_of(page.text)
