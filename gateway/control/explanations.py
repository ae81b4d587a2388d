"""Where a call would go now: planned like a real one, from the live state, and nothing is sent, taken or counted."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.lookup import chosen
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.routing.budgets import limits_of
from gateway.routing.candidates import plan_candidates
from gateway.routing.explain import Explanation
from gateway.routing.explain import explain as told
from gateway.routing.owners import of_caller
from gateway.routing.permissions import require_format
from gateway.routing.purposes import AUTO, Purpose
from gateway.routing.requirements import wanted
from gateway.routing.resolve import resolve
from gateway.routing.world import Ask, World

ANYONE = ApiKey(
    id="",
    name="",
    key_hash=b"",
    prefix="",
    tail="",
    allowed_models=None,
    rpm_limit=None,
    is_active=True,
    expires_at=None,
    created_at=0,
    updated_at=0,
)
"""Who asks where no API key is named: one that may use everything."""

FIELDS: Table = (
    Field("model", Kind.TEXT, f"What a client would ask for; {AUTO} goes by the route rules.", default=AUTO, most=256),
    Field("api_key", Kind.TEXT, "As which API key, by id or name; null is one that may use everything.", nullable=True),
    Field("agent", Kind.TEXT, "As in the header x-gateway-agent.", default="", most=100),
    Field("business", Kind.TEXT, "As in the header x-gateway-business.", default="", most=100),
    Field("capability", Kind.TEXT, "As in the header x-gateway-capability.", default="", most=100),
    Field("require", Kind.TEXT, "As in the header x-gateway-require: cache_1h,-context_1m.", default="", most=500),
    Field("needs", Kind.CAPABILITIES, "What the body would show that it needs, such as tools or vision.", default=()),
    Field("api_format", Kind.CHOICE, "The API format.", default=ApiFormat.OPENAI_CHAT.value, choices=tuple(ApiFormat)),
    Field("session", Kind.TEXT, "Which conversation; empty for a new one.", default="", most=200),
    Field("tokens", Kind.INT, "How many tokens the messages would have.", default=0, least=0, most=10_000_000),
    Field("seed", Kind.INT, "Chance; null is another one each time.", nullable=True, least=0, most=2**32 - 1),
)


async def explain(desk: Desk, raw: Mapping[str, object], *, text: bool = False) -> Explanation:
    """Raises InvalidFields, and what a call like this would be refused with: ModelNotFound, Forbidden, BadInput."""
    values = read(FIELDS, raw, partial=False, text=text)
    snapshot, api_format = desk.snapshot(), ApiFormat(values["api_format"])
    named = values["api_key"]
    api_key = ANYONE if named is None else chosen(snapshot.api_keys.values(), named, "api_key", "API key")
    require_format(api_key, api_format)
    purpose = Purpose(values["agent"], values["business"], values["capability"])
    target = resolve(snapshot, api_key, values["model"], purpose)
    owner = snapshot.users.get(api_key.user_id or "")
    forced = of_caller(api_key, owner, target.model)
    clock, chance = desk.clock, Random()  # noqa: S311  # an order, not a secret
    ask = Ask(
        api_key=api_key,
        api_format=api_format,
        model=target.model,
        tokens=values["tokens"],
        wanted=wanted(forced, values["require"], frozenset(values["needs"]), target.lanes),
        session=values["session"],
        seed=chance.getrandbits(32) if values["seed"] is None else values["seed"],
        turn=desk.state.turns.get(target.model, 0),
        most_input=values["tokens"],
        most_output=snapshot.settings.default_output_tokens,
        is_metered=bool(limits_of(api_key, owner)),
    )
    world = World(desk.state, clock.mono(), chance, desk.settings.secrets, clock.wall_ms())
    return told(target, plan_candidates(target.lanes, ask, world))
