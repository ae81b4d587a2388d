"""One request of a browser, understood: who it is, what they sent, and what their cookies say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.control import sessions
from gateway.control.sessions import Client
from gateway.errors import BadInput, Forbidden, NotAuthenticated, TooLarge
from gateway.model.people import Actor, Session, User

MOST_FORM_BYTES = 1024 * 1024
MOST_FORM_FIELDS = 200
FORM_TYPE = "application/x-www-form-urlencoded"
THEME_COOKIE = "gw_theme"
UNATTENDED = "x-unattended"
"""The header with which our script marks what it asks for by itself."""
FLASH_COOKIE = "gw_flash"
_YEAR = 365 * 24 * 3600
_LOOPBACK = re.compile(r"(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?", re.IGNORECASE)
_NEXT = re.compile(
    r"/(admin|home)(/(requests|usage|providers|endpoints|pools|provider-keys|state|backends|models|prices|mappings|route-rules|keys|users|tokens|audit|settings|announcements|account|status|setup/provider|setup/first-call)(/[A-Za-z0-9_:-]+)*)?"
    r"(\?[A-Za-z0-9_.~%&=+:,-]*)?"
)


class Flash(msgspec.Struct, frozen=True):
    """A sentence shown once, on the page after a change. `kind` is a colour: good or warn."""

    words: str
    kind: str = "good"


FLASHES: Mapping[str, Flash] = MappingProxyType(
    {
        "provider_added": Flash("The provider was added. Test it, then call one of its models."),
        "provider_saved": Flash("Saved. Calls from now on use it."),
        "provider_enabled": Flash("Enabled: calls may be sent to it again."),
        "provider_disabled": Flash("Disabled: calls already running end as usual.", "warn"),
        "provider_deleted": Flash("Deleted, with its endpoints, keys and mappings. Its requests stay.", "warn"),
        "quota_reset": Flash("What is spent is counted from 0, and a new period began."),
        "endpoint_added": Flash("The endpoint was added. Keys for its format may be used now."),
        "endpoint_saved": Flash("Saved. Calls from now on use it."),
        "endpoint_deleted": Flash("Deleted. Its requests stay in the list.", "warn"),
        "pool_made": Flash("Made. A key's pool is set at the key."),
        "pool_saved": Flash("Saved. Calls from now on use it."),
        "pool_deleted": Flash("Deleted.", "warn"),
        "backend_enabled": Flash("Enabled: calls may be sent to it again."),
        "backend_disabled": Flash("Disabled: calls already running end as usual.", "warn"),
        "backend_cleared": Flash("Its rest and its faults are forgotten. The next call may go to it."),
        "backend_deleted": Flash("Deleted. Its requests stay in the list.", "warn"),
        "provider_key_saved": Flash("Saved. Calls from now on use it."),
        "provider_key_rotated": Flash(
            "The new secret is in use. The old one is in the history, without the secret itself."
        ),
        "keys_ordered": Flash("Saved. Pools with the strategy global_priority go by it from now on."),
        "keys_pasted": Flash("Added. Calls may use them now."),
        "state_cleared": Flash("Cleared. The next call may go there."),
        "state_refilled": Flash("Refilled, as if nothing had been used of it."),
        "learned_forgotten": Flash("Forgotten: calls are held to no limit until the provider refuses some."),
        "learned_fixed": Flash("Fixed: the learned number is yours now, and changes no more by itself."),
        "key_saved": Flash("Saved. The key keeps its secret."),
        "key_enabled": Flash("Enabled: the key works again."),
        "key_disabled": Flash("Disabled: calls with this key are refused from now on.", "warn"),
        "key_topped_up": Flash("Paid in. Calls may use it at once."),
        "balance_closed": Flash("The balance is gone, with what was left of it.", "warn"),
        "capture_deleted": Flash("Deleted. Nothing is left of its headers and bodies.", "warn"),
        "key_deleted": Flash("Deleted. Calls with this key are refused; its requests stay in the list.", "warn"),
        "model_made": Flash("Made, as a draft. Add a provider that serves it, then enable it."),
        "model_saved": Flash("Saved. Calls from now on use it."),
        "model_enabled": Flash("Enabled: calls may ask for it."),
        "model_disabled": Flash("Disabled: calls that ask for it are refused from now on.", "warn"),
        "model_deprecated": Flash("Deprecated: it serves no more, and no route rule may point at it anew.", "warn"),
        "model_deleted": Flash("Deleted, with its mappings. Its requests stay in the list.", "warn"),
        "model_checked": Flash("Checked. What its backends said is in the list of checks."),
        "model_tried": Flash("Tried. The answer is the first in the list of tests."),
        "mapping_made": Flash("Added. Enable the model, if it is not, and calls may go this way."),
        "mapping_saved": Flash("Saved. Calls from now on use it."),
        "price_saved": Flash("Saved. Calls from now on are charged at it."),
        "price_cleared": Flash("Taken away: the model's price or the catalogue's holds again."),
        "mapping_deleted": Flash("Detached: this provider serves the model no more.", "warn"),
        "models_attached": Flash("Attached: calls may ask for them now."),
        "models_detached": Flash("Detached: this provider serves them no more; the models stay.", "warn"),
        "models_refreshed": Flash("Refreshed: what the provider lists is available, what it does not is left out."),
        "rule_made": Flash("Made. Calls for auto go by it from now on."),
        "rule_saved": Flash("Saved. Calls for auto go by it from now on."),
        "rule_moved": Flash("Moved."),
        "rule_deleted": Flash("Deleted. Calls for auto go by the other rules.", "warn"),
        "user_made": Flash("Added. The person signs in with the name and the password that you set."),
        "user_saved": Flash("Saved. Calls from now on go by it."),
        "user_enabled": Flash("Enabled: the person may sign in, and the API keys work."),
        "user_disabled": Flash("Disabled: the person is signed out, and the API keys are refused.", "warn"),
        "user_deleted": Flash("Deleted: the person is signed out, and the API keys are refused.", "warn"),
        "user_restored": Flash("Restored, but disabled: enable the person when it is time.", "warn"),
        "session_ended": Flash("Ended: that browser has to sign in again."),
        "sessions_ended": Flash("Signed out everywhere."),
        "token_enabled": Flash("Enabled: programs may use it again."),
        "token_disabled": Flash("Disabled: programs with this token are refused from now on.", "warn"),
        "token_deleted": Flash("Deleted. What it did stays in the audit log.", "warn"),
        "settings_saved": Flash("Saved. They hold from now on."),
        "announcement_saved": Flash("Saved. People see it as it stands above the form, while it holds."),
        "announcement_deleted": Flash("Deleted: nobody sees it any more.", "warn"),
        "profile_saved": Flash("Saved."),
        "password_changed": Flash("The password is changed, and every other session is over."),
    }
)
"""Only these are ever shown: the cookie holds a name of this table, never words."""


class Visit(msgspec.Struct, frozen=True):
    """`csrf` goes into every form. `form` holds the fields that were posted, the last one of each name.

    `user` and `session` are None for a guest, whose forms hang on `guest_token` instead of a session. What the page
    shows is as of the event `events_after`, or newer.
    """

    request: Request
    client: Client
    csrf: str
    guest_token: str
    form: Mapping[str, str] = msgspec.field(default_factory=dict)
    user: User | None = None
    session: Session | None = None
    place: str = ""
    root: str = ""
    events_after: int = 0

    @property
    def signed_in(self) -> tuple[User, Session]:
        if self.user is None or self.session is None:
            raise NotAuthenticated("Sign in first.", code="signed_out")
        return self.user, self.session

    @property
    def actor(self) -> Actor:
        return sessions.actor(self.signed_in[0], self.client)

    @property
    def theme(self) -> str:
        chosen = self.request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in sessions.THEMES else "auto"

    @property
    def flash(self) -> Flash | None:
        return FLASHES.get(self.request.cookies.get(FLASH_COOKIE, ""))

    @property
    def scheme(self) -> str:
        return str(self.request.scope["scheme"])

    @property
    def origin(self) -> str:
        """Scheme and host as the browser reached us; the front has checked the host."""
        return f"{self.scheme}://{self.request.headers.get('host', 'localhost')}"

    @property
    def address(self) -> str:
        """Path and query below the root path."""
        query = self.request.scope["query_string"].decode("latin-1")
        return str(self.request.scope["path"]) + (f"?{query}" if query else "")

    @property
    def is_script(self) -> bool:
        """Whether htmx asks, which swaps what it gets into the page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def is_change(self) -> bool:
        return self.request.method not in ("GET", "HEAD")

    @property
    def can_keep_cookies(self) -> bool:
        return self.scheme == "https" or is_loopback(self.request)


class FormView(msgspec.Struct, frozen=True):
    """A form as the page shows it: what is in its fields, and what is wrong with them."""

    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    faults: Mapping[str, str] = msgspec.field(default_factory=dict)
    shown: frozenset[str] = frozenset()

    @property
    def hidden_faults(self) -> list[tuple[str, str]]:
        """Faults of fields that the page has no place for."""
        return [(name, fault) for name, fault in self.faults.items() if name not in self.shown and name != "form"]


def is_loopback(request: Request) -> bool:
    return _LOOPBACK.fullmatch(request.headers.get("host", "")) is not None


def cookie_name(request: Request, name: str) -> str:
    """`__Host-` cookies need Secure, which plain http on this machine cannot have.

    Plain http from elsewhere gets them all the same: a browser drops them, rather than send them in the clear.
    """
    is_plain = request.scope["scheme"] != "https" and is_loopback(request)
    return f"{name}_session" if is_plain else f"__Host-{name}"


def keep_cookie(response: Response, visit: Visit, name: str, value: str) -> None:
    """For this browser session, out of reach of scripts and other sites."""
    full = cookie_name(visit.request, name)
    response.set_cookie(full, value, path="/", secure=full.startswith("__Host-"), httponly=True, samesite="strict")


def drop_cookie(response: Response, visit: Visit, name: str) -> None:
    full = cookie_name(visit.request, name)
    response.delete_cookie(full, path="/", secure=full.startswith("__Host-"), httponly=True, samesite="strict")


def keep_flash(response: Response, code: str) -> None:
    if code not in FLASHES:
        raise ValueError(code)
    response.set_cookie(FLASH_COOKIE, code, max_age=15, path="/", httponly=True, samesite="strict")


def keep_theme(response: Response, theme: str) -> None:
    response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, path="/", httponly=True, samesite="lax")


def safe_next(wanted: str) -> str:
    """A page of ours to go to after signing in; the overview for anything else."""
    return wanted if _NEXT.fullmatch(wanted) else "/admin"


def require_same_site(request: Request) -> None:
    """Raises Forbidden where the browser says that another site made it send this.

    Under `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms, so that says nothing.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("Another site sent this form, so it was refused. Go to the page here and try again.")
    origin = request.headers.get("origin", "null")
    if origin != "null" and origin.partition("://")[2] != request.headers.get("host", ""):
        raise Forbidden("Another site sent this form, so it was refused. Go to the page here and try again.")


async def read_form(request: Request) -> Mapping[str, str]:
    """The posted fields. Raises Forbidden for anything but a form: other types can be sent across sites."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Forbidden("This page takes forms only.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_FORM_BYTES:
            raise TooLarge("This form is too large.")
    try:
        pairs = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FORM_FIELDS, errors="replace"
        )
    except ValueError:
        raise BadInput("This form has too many fields.") from None
    return dict(pairs)
