"""Asking for the password again before an address or a secret of a provider is set."""

from __future__ import annotations

from gateway.admin.site import Site
from gateway.admin.visits import Visit
from gateway.control import sessions
from gateway.errors import InvalidFields, RateLimited

FIELD = "your_password"


def is_recent(site: Site, visit: Visit) -> bool:
    """Whether the password was given in the last minutes, so that the form need not ask for it."""
    return sessions.has_recent_password(site.desk, visit.signed_in[1])


async def require_recent(site: Site, visit: Visit) -> None:
    """Raises InvalidFields naming the form's own password field; the form is shown again with it."""
    if is_recent(site, visit):
        return
    given = visit.form.get(FIELD, "")
    if not given:
        raise InvalidFields({FIELD: "is needed: you gave it more than 15 minutes ago"})
    user, session = visit.signed_in
    try:
        await sessions.confirm_password(site.desk, user, session, given)
    except InvalidFields:
        raise InvalidFields({FIELD: "is not your password"}) from None
    except RateLimited as error:
        raise InvalidFields({FIELD: f"was wrong too often; wait {error.retry_after or 1:.0f} s"}) from None
