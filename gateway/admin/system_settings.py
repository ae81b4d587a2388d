"""What holds for the whole gateway, as a form."""

from __future__ import annotations

from types import MappingProxyType

from starlette.responses import Response

from gateway.admin.field_forms import FormPlan
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import system_settings
from gateway.errors import InvalidFields, Stale
from gateway.model.system_settings import SystemSettings

PLAN = FormPlan(
    system_settings.FIELDS,
    MappingProxyType(
        {
            "What is kept of calls": ("capture", "capture_bytes", "capture_days"),
            "For how long": ("retention_days", "retention_bytes"),
            "Money": ("crash_charge", "default_output_tokens"),
        }
    ),
    MappingProxyType(
        {
            "capture": "Headers and bodies",
            "capture_bytes": "Bytes of each body",
            "capture_days": "Days",
            "retention_days": "Days",
            "retention_bytes": "Bytes of the database",
            "crash_charge": "A call that a crash cut off costs",
            "default_output_tokens": "Tokens reserved for an answer",
        }
    ),
    MappingProxyType(
        {
            "capture": "They may hold what people wrote. They are compressed and sealed with the master key.",
            "capture_bytes": "The rest is cut off.",
            "capture_days": "Then they are deleted; the requests stay.",
            "retention_days": "Then requests are deleted; their sums stay. Empty: never.",
            "retention_bytes": "Beyond that the oldest requests are deleted. 4294967296 is 4 GiB. Empty: any number.",
            "crash_charge": "Nobody saw how it ended.",
            "default_output_tokens": "Where a call does not bound it and money is limited.",
        }
    ),
)
_OPTIONS = MappingProxyType(
    {
        "capture": (("off", "Of no call"), ("errors", "Of calls that fail"), ("all", "Of all calls")),
        "crash_charge": (("input", "Its input"), ("full", "All that was reserved for it")),
    }
)


@signed_in("settings")
async def show(site: Site, visit: Visit) -> Response:
    found = await system_settings.get(site.desk)
    return _page(site, visit, FormView(PLAN.values(found), shown=PLAN.shown))


@signed_in("settings")
async def save(site: Site, visit: Visit) -> Response:
    typed = {name: value for name, value in visit.form.items() if name in PLAN.names}
    try:
        await system_settings.update(site.desk, visit.actor, typed, text=True)
    except InvalidFields as error:
        there = PLAN.values(await system_settings.get(site.desk))
        return _page(site, visit, FormView({**there, **typed}, error.fields, PLAN.shown), 422)
    except Stale as error:
        assert isinstance(error.current, SystemSettings)
        return _page(site, visit, beside(typed, PLAN.values(error.current), PLAN.shown), 409)
    return site.go("/admin/settings", "settings_saved")


def _page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    return site.page(visit, "settings/page.html", status, form=form, groups=PLAN.looks(_OPTIONS))
