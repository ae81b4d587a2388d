"""API keys: the list, making one, changing and deleting it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from gateway.admin import snippets
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.admin.wording import day
from gateway.control import api_keys
from gateway.errors import InvalidFields
from gateway.model.people import ApiKey

_FIELDS = frozenset({"name", "rpm_limit", "expires_at"})
_SHOWN = _FIELDS | {"models", "allowed_models"}
_NEW = {"models": "all"}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """`state` is active, disabled or expired."""

    key: ApiKey
    state: str
    last_used_at: int | None


@signed_in("keys")
async def show_list(site: Site, visit: Visit) -> Response:
    used = await api_keys.last_uses(site.desk)
    now = site.desk.clock.wall_ms()
    rows = [KeyRow(key, _state(key, now), used.get(key.id)) for key in await api_keys.listing(site.desk)]
    return site.page(visit, "keys/list.html", rows=rows)


@signed_in("keys")
async def show_new(site: Site, visit: Visit) -> Response:
    return _new_page(site, visit, FormView(_NEW, shown=_SHOWN))


@signed_in("keys")
async def create(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the secret; no page, cookie or address ever has it again."""
    try:
        secret, key = await api_keys.create(site.desk, visit.actor, _given(visit), text=True)
    except InvalidFields as error:
        return _new_page(site, visit, FormView(visit.form, error.fields, _SHOWN), 422)
    model = next(iter(key.allowed_models or ()), "") or snippets.first_model(site)
    shown = snippets.for_clients(visit.origin + site.root, model, secret)
    return site.page(visit, "keys/created.html", key=key, secret=secret, snippets=shown)


@signed_in("keys")
async def show(site: Site, visit: Visit) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    return _edit_page(site, visit, key, FormView(_values(key), shown=_SHOWN))


@signed_in("keys")
async def save(site: Site, visit: Visit) -> Response:
    key = await api_keys.get(site.desk, _key_id(visit))
    try:
        given = _given(visit)
        if given.get("expires_at") == _values(key)["expires_at"]:
            del given["expires_at"]  # the form shows only the day: as it came, it must not move the hour
        await api_keys.update(site.desk, visit.actor, key.id, given, text=True)
    except InvalidFields as error:
        return _edit_page(site, visit, key, FormView(visit.form, error.fields, _SHOWN), 422)
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


def _given(visit: Visit) -> dict[str, object]:
    """The form in the terms of the noun: the choice and the list of models become one value."""
    given: dict[str, object] = {name: value for name, value in visit.form.items() if name in _FIELDS}
    choice = visit.form.get("models", "all")
    listed = visit.form.get("allowed_models", "").strip()
    if choice == "listed" and not listed:
        raise InvalidFields({"allowed_models": "must name at least one model"})
    given["allowed_models"] = {"all": None, "none": []}.get(choice, listed)
    return given


def _values(key: ApiKey) -> dict[str, str]:
    listed = key.allowed_models
    return {
        "name": key.name,
        "models": "all" if listed is None else "listed" if listed else "none",
        "allowed_models": "\n".join(listed or ()),
        "rpm_limit": "" if key.rpm_limit is None else str(key.rpm_limit),
        "expires_at": "" if key.expires_at is None else day(key.expires_at),
    }


def _state(key: ApiKey, now: int) -> str:
    if not key.is_active:
        return "disabled"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"


def _key_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _new_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    return site.page(
        visit,
        "keys/form.html",
        status,
        form=form,
        title="Make an API key",
        action="/admin/keys/new",
        button="Make the key",
    )


def _edit_page(site: Site, visit: Visit, key: ApiKey, form: FormView, status: int = 200) -> Response:
    return site.page(
        visit,
        "keys/form.html",
        status,
        form=form,
        title=key.name,
        action=f"/admin/keys/{key.id}",
        button="Save",
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
