"""One provider key: its fields, its secrets, and what was learned of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from gateway.admin import key_forms, passwords
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import adaptive_limits, backends, provider_keys, providers, rotations
from gateway.errors import Conflict, InvalidFields, Stale
from gateway.model.registry import ProviderKey

_ROTATED = frozenset({"api_key", "secret_note", passwords.FIELD})
_PROVED = frozenset({passwords.FIELD})


class Forms(msgspec.Struct, frozen=True):
    """What stands in the forms of the page; an empty one is as it begins."""

    edit: FormView | None = None
    rotate: FormView | None = None


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    return await _page(site, visit, await provider_keys.get(site.desk, key_id(visit)))


@signed_in("providers")
async def save(site: Site, visit: Visit) -> Response:
    key = await provider_keys.get(site.desk, key_id(visit))
    there = _values(site, key)
    typed = {name: value for name, value in visit.form.items() if name in key_forms.FIELDS}
    try:
        await provider_keys.update(site.desk, visit.actor, key.id, key_forms.given(typed, there), text=True)
    except InvalidFields as error:
        form = FormView({**there, **typed}, error.fields, key_forms.SHOWN)
        return await _page(site, visit, key, Forms(edit=form), 422)
    except Stale as error:
        assert isinstance(error.current, ProviderKey)
        form = beside(typed, _values(site, error.current), key_forms.SHOWN)
        return await _page(site, visit, error.current, Forms(edit=form), 409)
    return site.go(f"/admin/provider-keys/{key.id}", "provider_key_saved")


@signed_in("providers")
async def rotate(site: Site, visit: Visit) -> Response:
    """Another secret, which every call from now on goes out with."""
    key = await provider_keys.get(site.desk, key_id(visit))
    typed = {name: visit.form.get(name, "") for name in ("api_key", "secret_note")}
    try:
        if not typed["api_key"].strip():
            raise InvalidFields({"api_key": "is required"})
        await passwords.require_recent(site, visit)
        await provider_keys.update(site.desk, visit.actor, key.id, typed, text=True)
    except InvalidFields as error:
        form = FormView({"secret_note": typed["secret_note"]}, error.fields, _ROTATED)
        return await _page(site, visit, key, Forms(rotate=form), 422)
    return site.go(f"/admin/provider-keys/{key.id}", "provider_key_rotated")


@signed_in("providers")
async def reveal(site: Site, visit: Visit) -> Response:
    """The answer to this very request shows the secret; no page, cookie or address ever has it again."""
    key = await provider_keys.get(site.desk, key_id(visit))
    try:
        await passwords.require_recent(site, visit)
        secret = (await rotations.reveal(site.desk, visit.actor, key.id)).reveal()
    except InvalidFields as error:
        is_first = passwords.FIELD not in visit.form
        form = FormView({}, {} if is_first else error.fields, _PROVED)
        return _reveal_page(site, visit, key, "", form, 422)
    return _reveal_page(site, visit, key, secret, FormView())


@signed_in("providers")
async def enable(site: Site, visit: Visit) -> Response:
    address = f"/admin/provider-keys/{key_id(visit)}"
    await backends.set_enabled(site.desk, visit.actor, key_id(visit), enabled=True)
    return site.go(address, "backend_enabled")


@signed_in("providers")
async def disable(site: Site, visit: Visit) -> Response:
    address = f"/admin/provider-keys/{key_id(visit)}"
    await backends.set_enabled(site.desk, visit.actor, key_id(visit), enabled=False)
    return site.go(address, "backend_disabled")


@signed_in("providers")
async def forget_learned(site: Site, visit: Visit) -> Response:
    address = f"/admin/provider-keys/{key_id(visit)}"
    await adaptive_limits.reset(site.desk, visit.actor, key_id(visit))
    return site.go(address, "learned_forgotten")


@signed_in("providers")
async def fix_learned(site: Site, visit: Visit) -> Response:
    key = await provider_keys.get(site.desk, key_id(visit))
    try:
        await adaptive_limits.fix(site.desk, visit.actor, key.id)
    except Conflict as error:
        form = FormView(_values(site, key), {"form": error.message}, key_forms.SHOWN)
        return await _page(site, visit, key, Forms(edit=form), 409)
    return site.go(f"/admin/provider-keys/{key.id}", "learned_fixed")


@signed_in("providers")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@signed_in("providers")
async def delete(site: Site, visit: Visit) -> Response:
    key = await provider_keys.get(site.desk, key_id(visit))
    if visit.form.get("typed", "").strip() != key.name:
        return await _delete_page(site, visit, {"typed": f"must be {key.name}"})
    await provider_keys.delete(site.desk, visit.actor, key.id)
    return site.go("/admin/providers", "backend_deleted")


def key_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _values(site: Site, key: ProviderKey) -> dict[str, str]:
    return key_forms.values(key, site.desk.snapshot().registry)


async def _page(site: Site, visit: Visit, key: ProviderKey, forms: Forms = Forms(), status: int = 200) -> Response:
    """The whole page, with faults where a form has some."""
    desk = site.desk
    registry = desk.snapshot().registry
    pools = sorted(registry.pools, key=lambda pool: (pool.tier, pool.name))
    versions = await rotations.history(desk, key.id)
    return site.page(
        visit,
        "provider_keys/one.html",
        status,
        key=key,
        provider=await providers.get(desk, key.provider_id),
        backends=[one for one in desk.snapshot().backends.values() if one.key.id == key.id],
        form=forms.edit or FormView(_values(site, key), shown=key_forms.SHOWN),
        rotated=forms.rotate or FormView(shown=_ROTATED),
        pool_names=[(pool.name, pool.name) for pool in pools],
        versions=versions,
        active=rotations.active_number(key, versions),
        is_set=key.env_name is None or key.env_name in desk.settings.secrets,
        limit=await adaptive_limits.of_key(desk, key.id),
        asks_password=not passwords.is_recent(site, visit),
    )


def _reveal_page(
    site: Site, visit: Visit, key: ProviderKey, secret: str, form: FormView, status: int = 200
) -> Response:
    return site.page(visit, "provider_keys/reveal.html", status, key=key, secret=secret, form=form)


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    key = await provider_keys.get(site.desk, key_id(visit))
    provider = await providers.get(site.desk, key.provider_id)
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {provider.name}/{key.name}?",
        words="This deletes the key with its secret and the history of its secrets. The provider keeps its address and "
        "its other keys, the requests stay in the list. It cannot be taken back; disabling can.",
        action=f"/admin/provider-keys/{key.id}/delete",
        back=f"/admin/provider-keys/{key.id}",
        button="Delete",
        typed=key.name,
        form=FormView({}, faults, frozenset({"typed"})),
    )
