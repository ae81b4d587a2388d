"""One backend: changing its address, key, models and limits, renaming its provider, deleting it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace
from starlette.responses import Response

from gateway.admin import passwords
from gateway.admin.pools import place_of
from gateway.admin.providers import backend_id, kept_values
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import backends, endpoints, providers
from gateway.control.versions import together
from gateway.errors import InvalidFields, Stale
from gateway.routing.snapshot import Backend

_FIELDS = frozenset(
    {
        *("label", "base_url", "api_key", "models", "pool", "priority", "weight", "timeout_seconds", "local_upstream"),
        *("rpm_limit", "tpm_limit", "max_concurrent", "version"),
    }
)
_PROVIDER_FIELDS = frozenset({"name", "display_name"})
_ENDPOINT_FIELDS = frozenset({"first_byte_seconds", "idle_seconds"})
_SHOWN = (_FIELDS | _PROVIDER_FIELDS | _ENDPOINT_FIELDS | {passwords.FIELD}) - {"version"}


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    backend = await _stored(site, visit)
    return _page(site, visit, backend, FormView(_values(site, backend), shown=_SHOWN))


@signed_in("providers")
async def save(site: Site, visit: Visit) -> Response:
    """One form of three: the backend's, its provider's or its endpoint's, told apart by their fields."""
    backend = await _stored(site, visit)
    try:
        await _save(site, visit, backend)
    except InvalidFields as error:
        values = {**_values(site, backend), **kept_values(visit)}
        return _page(site, visit, backend, FormView(values, error.fields, _SHOWN), 422)
    except Stale:
        backend = await _stored(site, visit)
        return _page(site, visit, backend, beside(kept_values(visit), _values(site, backend), _SHOWN), 409)
    return site.go("/admin/providers", "provider_saved")


@signed_in("providers")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return _delete_page(site, visit, {})


@signed_in("providers")
async def delete(site: Site, visit: Visit) -> Response:
    backend = backends.find(site.desk, backend_id(visit))
    if visit.form.get("typed", "").strip() != backend.name:
        return _delete_page(site, visit, {"typed": f"must be {backend.name}"})
    await backends.delete(site.desk, visit.actor, backend.id)
    return site.go("/admin/providers", "backend_deleted")


async def _save(site: Site, visit: Visit, backend: Backend) -> None:
    part = visit.form.get("part", "backend")
    if part == "provider":
        given = _part_of(visit, "provider", _PROVIDER_FIELDS)
        await providers.update(site.desk, visit.actor, backend.provider.id, given, text=True)
    elif part == "endpoint":
        given = _part_of(visit, "endpoint", _ENDPOINT_FIELDS)
        await endpoints.update(site.desk, visit.actor, backend.endpoint.id, given, text=True)
    else:
        given = _with_models(site, visit, backend)
        if _moves_a_secret(given, backend):
            await passwords.require_recent(site, visit)
        await backends.update(site.desk, visit.actor, backend.id, given, text=True)


def _with_models(site: Site, visit: Visit, backend: Backend) -> dict[str, str]:
    """The backend's fields. Models that stand as the form was given them are left out: they may be others by now.

    Raises InvalidFields where both somebody else and this form changed them.
    """
    given = _given(visit, _FIELDS)
    before = visit.form.get("models_before")
    if before is None or "models" not in given:
        return given
    there = "\n".join(_model_lines(site, backend))
    if _lines(given["models"]) == _lines(before):
        del given["models"]
    elif _lines(before) != _lines(there):
        raise InvalidFields({"models": f"were changed meanwhile: now {', '.join(_lines(there)) or 'none'}"})
    return given


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


async def _stored(site: Site, visit: Visit) -> Backend:
    """With the base URL as it was entered: in force, the demo's is where it listens this time."""
    backend = backends.find(site.desk, backend_id(visit))
    return replace(backend, endpoint=await endpoints.get(site.desk, backend.endpoint.id))


def _given(visit: Visit, names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in visit.form.items() if name in names}


def _part_of(visit: Visit, part: str, names: frozenset[str]) -> dict[str, str]:
    """The fields of one part, with the version of that part alone."""
    given = _given(visit, names)
    if f"{part}_version" in visit.form:
        given["version"] = visit.form[f"{part}_version"]
    return given


def _moves_a_secret(given: Mapping[str, str], backend: Backend) -> bool:
    """Whether the form sets where a key goes, or which one: then the password must be fresh."""
    was_local = backend.endpoint.local_upstream is not None
    return (
        given.get("base_url", backend.endpoint.base_url).strip() != backend.endpoint.base_url
        or bool(given.get("api_key", "").strip())
        or bool(given.get("local_upstream", "on" if was_local else "")) != was_local
    )


def _values(site: Site, backend: Backend) -> dict[str, str]:
    """The backend as the form shows it; the secret is never in it."""
    key, endpoint, provider = backend.key, backend.endpoint, backend.provider
    return {
        "label": key.name,
        "base_url": endpoint.base_url,
        "models": "\n".join(_model_lines(site, backend)),
        "pool": backend.pool.name,
        **{name: _optional(getattr(key, name)) for name in ("rpm_limit", "tpm_limit", "max_concurrent")},
        "priority": str(provider.priority),
        "weight": str(key.weight),
        "timeout_seconds": _number(endpoint.timeout_seconds),
        "local_upstream": "on" if endpoint.local_upstream else "",
        "first_byte_seconds": _number(endpoint.first_byte_seconds),
        "idle_seconds": _number(endpoint.idle_seconds),
        "name": provider.name,
        "display_name": provider.display_name,
        "version": str(together(provider, endpoint, key)),
        "provider_version": str(provider.version),
        "endpoint_version": str(endpoint.version),
        "models_before": "\n".join(_model_lines(site, backend)),
    }


def _optional(number: int | None) -> str:
    return "" if number is None else str(number)


def _number(value: float) -> str:
    return str(value).removesuffix(".0")


def _model_lines(site: Site, backend: Backend) -> list[str]:
    registry = site.desk.snapshot().registry
    codes = {model.id: model.code for model in registry.models}
    return sorted(
        code if mapping.upstream_name == code else f"{code} = {mapping.upstream_name}"
        for mapping in registry.mappings
        if mapping.provider_id == backend.provider.id and (code := codes[mapping.model_id])
    )


def _page(site: Site, visit: Visit, backend: Backend, form: FormView, status: int = 200) -> Response:
    pools = sorted(site.desk.snapshot().registry.pools, key=lambda pool: (pool.tier, pool.name))
    every = site.desk.snapshot().provider_backends.get(backend.provider.id, ())
    return site.page(
        visit,
        "providers/edit.html",
        status,
        backend=backend,
        formats=sorted(
            (one for one in every if one.key.id == backend.key.id), key=lambda one: place_of(one.endpoint.api_format)
        ),
        siblings=list({one.key.id: one for one in every if one.key.id != backend.key.id}.values()),
        shown_secret=f"env:{backend.key.env_name}" if backend.key.env_name else backend.key.masked,
        needs_entry=bool(backend.key.masked and backend.key.bound_origin is None),
        pool_names=[(pool.name, pool.name) for pool in pools],
        asks_password=not passwords.is_recent(site, visit),
        form=form,
    )


def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    backend = backends.find(site.desk, backend_id(visit))
    is_last = len({one.key.id for one in site.desk.snapshot().provider_backends.get(backend.provider.id, ())}) == 1
    what = "the provider with its address and key" if is_last else "this key; the provider keeps its others"
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {backend.name}?",
        words=f"This deletes {what}. Its requests stay in the list. It cannot be taken back; disabling can.",
        action=f"/admin/backends/{backend.id}/delete",
        back="/admin/providers",
        button="Delete",
        typed=backend.name,
        form=FormView({}, faults, frozenset({"typed"})),
    )
