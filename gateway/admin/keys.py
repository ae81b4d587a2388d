"""API keys: the list, making one, changing and deleting it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from gateway.admin import api_key_forms, money_bars, snippets
from gateway.admin.money_bars import MoneyBar
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import api_keys, balances, budget_view, users
from gateway.errors import InvalidFields, Stale
from gateway.model.people import ApiKey, Period


class KeyRow(msgspec.Struct, frozen=True):
    """`state` is active, locked, disabled or expired; `spent` nano-dollars this month."""

    key: ApiKey
    state: str
    last_used_at: int | None
    owner: str
    bars: tuple[MoneyBar, ...]
    spent: int


class Extras(msgspec.Struct, frozen=True):
    """The forms beside that of the settings."""

    rotate: FormView = FormView({"grace_hours": "24"}, shown=frozenset({"grace_hours"}))
    top_up: FormView = FormView(shown=frozenset({"top_up_amount", "top_up_note"}))


@signed_in("keys")
async def show_list(site: Site, visit: Visit) -> Response:
    used = await api_keys.last_used(site.desk)
    now = site.desk.clock.wall_ms()
    names = {user.id: user.username for user in await users.listing(site.desk)}
    rows = []
    for key in await api_keys.listing(site.desk):
        money = budget_view.of_key(site.desk, key)
        owner = names.get(key.user_id or "", "")
        spent = money.spent[Period.MONTHLY]
        rows.append(KeyRow(key, state_of(key, now), used.get(key.id), owner, money_bars.bars(money), spent))
    return site.page(visit, "keys/list.html", rows=rows)


@signed_in("keys")
async def show_new(site: Site, visit: Visit) -> Response:
    begun = {**api_key_forms.NEW, "user_id": visit.request.query_params.get("user_id", "")}
    return await _new_page(site, visit, FormView(begun, shown=api_key_forms.SHOWN))


@signed_in("keys")
async def create(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the secret; no page, cookie or address ever has it again."""
    try:
        secret, key = await api_keys.create(site.desk, visit.actor, api_key_forms.given(visit.form), text=True)
    except InvalidFields as error:
        return await _new_page(
            site, visit, FormView(api_key_forms.typed(visit.form), error.fields, api_key_forms.SHOWN), 422
        )
    return created_page(site, visit, key, secret)


def created_page(site: Site, visit: Visit, key: ApiKey, secret: str, back: str = "/admin/keys") -> Response:
    """A secret in plain text, and how it is used."""
    model = next(iter(key.allowed_models or ()), "") or snippets.first_model(site)
    shown = snippets.for_clients(visit.origin + site.root, model, secret)
    return site.page(visit, "keys/created.html", key=key, secret=secret, snippets=shown, back=back)


@signed_in("keys")
async def show(site: Site, visit: Visit) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    return await _edit_page(site, visit, key, FormView(api_key_forms.values(key), shown=api_key_forms.SHOWN))


@signed_in("keys")
async def save(site: Site, visit: Visit) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    there, typed = api_key_forms.values(key), api_key_forms.typed(visit.form)
    try:
        given = api_key_forms.given(visit.form)
        if given.get("expires_at") == there["expires_at"]:
            del given["expires_at"]  # the form shows only the day: as it came, it must not move the hour
        await api_keys.update(site.desk, visit.actor, key.id, given, text=True)
    except InvalidFields as error:
        return await _edit_page(site, visit, key, FormView({**there, **typed}, error.fields, api_key_forms.SHOWN), 422)
    except Stale as error:
        assert isinstance(error.current, ApiKey)
        form = beside(typed, api_key_forms.values(error.current), api_key_forms.SHOWN)
        return await _edit_page(site, visit, error.current, form, 409)
    return site.go("/admin/keys", "key_saved")


@signed_in("keys")
async def enable(site: Site, visit: Visit) -> Response:
    await api_keys.update(site.desk, visit.actor, _key_id(visit), {"is_active": True})
    return site.go("/admin/keys", "key_enabled")


@signed_in("keys")
async def disable(site: Site, visit: Visit) -> Response:
    await api_keys.update(site.desk, visit.actor, _key_id(visit), {"is_active": False})
    return site.go("/admin/keys", "key_disabled")


@signed_in("keys")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@signed_in("keys")
async def delete(site: Site, visit: Visit) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    if visit.form.get("typed", "").strip() != key.name:
        return await _delete_page(site, visit, {"typed": f"must be {key.name}"})
    await api_keys.delete(site.desk, visit.actor, key.id)
    return site.go("/admin/keys", "key_deleted")


@signed_in("keys")
async def rotate(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the new secret, once."""
    given = {"grace_hours": visit.form.get("grace_hours", "")}
    try:
        secret, key = await api_keys.rotate(site.desk, visit.actor, _key_id(visit), given, text=True)
    except InvalidFields as error:
        return await _with_fault(site, visit, Extras(rotate=FormView(given, error.fields, frozenset(given))))
    return created_page(site, visit, key, secret)


@signed_in("keys")
async def top_up(site: Site, visit: Visit) -> Response:
    given = {name: visit.form.get(f"top_up_{name}", "") for name in ("amount", "note")}
    try:
        await balances.top_up(site.desk, visit.actor, _key_id(visit), given, text=True)
    except InvalidFields as error:
        # The page has a note of the key as well, so these fields have longer names there.
        faults = {f"top_up_{name}": fault for name, fault in error.fields.items()}
        values = {f"top_up_{name}": value for name, value in given.items()}
        return await _with_fault(site, visit, Extras(top_up=FormView(values, faults, frozenset(values))))
    address = f"/admin/keys/{_key_id(visit)}"
    return site.go(address, "key_topped_up")


@signed_in("keys")
async def close_balance(site: Site, visit: Visit) -> Response:
    await balances.close(site.desk, visit.actor, _key_id(visit))
    address = f"/admin/keys/{_key_id(visit)}"
    return site.go(address, "balance_closed")


def state_of(key: ApiKey, now: int) -> str:
    """active, locked, disabled or expired."""
    if not key.is_active:
        return "disabled"
    if key.is_locked:
        return "locked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def _key_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


async def _new_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    return await _form_page(site, visit, form, None, status)


async def _edit_page(site: Site, visit: Visit, key: ApiKey, form: FormView, status: int = 200) -> Response:
    return await _form_page(site, visit, form, key, status)


async def _with_fault(site: Site, visit: Visit, extras: Extras) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    form = FormView(api_key_forms.values(key), shown=api_key_forms.SHOWN)
    return await _form_page(site, visit, form, key, 422, extras)


async def _form_page(
    site: Site, visit: Visit, form: FormView, key: ApiKey | None, status: int, extras: Extras | None = None
) -> Response:
    people = await users.listing(site.desk)
    money = budget_view.of_key(site.desk, key) if key else None
    return site.page(
        visit,
        "keys/form.html",
        status,
        form=form,
        owners=[("", "Nobody: it stands alone"), *sorted((user.id, user.username) for user in people)],
        title=key.name if key else "Make an API key",
        key=key,
        extras=extras or Extras(),
        money=money,
        bars=money_bars.bars(money) if money else (),
        top_ups=await balances.history(site.desk, key.id) if key else (),
        action=f"/admin/keys/{key.id}" if key else "/admin/keys/new",
        button="Save" if key else "Make the key",
    )


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {key.name}?",
        words="Calls with this key are refused at once. Its requests stay in the list. It cannot be taken back; "
        "disabling can.",
        action=f"/admin/keys/{key.id}/delete",
        back="/admin/keys",
        button="Delete",
        typed=key.name,
        form=FormView({}, faults, frozenset({"typed"})),
    )
