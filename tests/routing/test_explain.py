"""A plan told, and a past call told the same way."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.model.calls import Considered, Skip
from gateway.routing.candidates import plan_candidates
from gateway.routing.explain import Candidate, explain, explain_past
from gateway.routing.resolve import resolve
from tests.routing.build import ANYONE, ask, key, model, snapshot, world
from tests.store.rows import CALL

COOLING = Skip("b1", "acme/main", "primary", "cooling", "It rests.", 4.00049)


def test_the_taken_come_in_order_then_the_skipped_with_their_reason() -> None:
    found = snapshot(key("a"), key("b", pool_id="fallback"), key("off", is_active=False), models=(model("m"),))
    wanted = ask(wanted=frozenset({"vision", "tools"}), session="s", seed=9)
    target = resolve(found, ANYONE, "m")

    told = explain(target, plan_candidates(target.lanes, wanted, world()))

    assert [(one.backend, one.taken, one.reason) for one in told.candidates] == [
        ("a/main", True, ""),
        ("b/main", True, ""),
        ("off/main", False, "inactive"),
    ]
    assert (told.model, told.seed, told.session, told.wanted) == ("m", 9, "s", ("tools", "vision"))
    assert told.config_version == found.version


def test_a_caller_is_not_told_of_what_it_may_not_use() -> None:
    found = snapshot(key("a"), key("secret"))
    narrow = replace(ANYONE, allowed_providers=("a",))
    target = resolve(found, narrow, "m")
    told = explain(target, plan_candidates(target.lanes, ask(api_key=narrow), world()))

    assert {one.backend for one in told.candidates} == {"a/main", "secret/main"}
    assert [one.backend for one in told.for_caller().candidates] == ["a/main"]


def test_one_that_was_passed_over_when_its_turn_came_is_told_at_its_place() -> None:
    call = replace(
        CALL,
        route="GLOBAL",
        seed=5,
        considered=(
            Considered("b1", "acme/main", "primary", "m-1", "its turn"),
            Considered("b2", "spare/main", "fallback", "m-2"),
        ),
        skips=(replace(COOLING, backend_id="b3", backend="third/main"), COOLING),
    )

    told = explain_past(call)

    assert told.candidates == (
        Candidate("acme/main", "primary", False, "m-1", "its turn", "cooling", "It rests.", 4.0),
        Candidate("spare/main", "fallback", True, "m-2"),
        Candidate("third/main", "primary", False, "", "", "cooling", "It rests.", 4.0),
    )
    assert (told.route, told.seed, told.session, told.wanted) == ("GLOBAL", 5, None, None)


def test_a_call_that_never_found_a_model_is_told_under_the_name_it_asked_for() -> None:
    told = explain_past(replace(CALL, served_model="", asked_model="what", considered=(), skips=()))

    assert (told.model, told.seed, told.candidates) == ("what", None, ())


def test_one_that_was_tried_and_rested_afterwards_was_taken() -> None:
    """A call that waits plans again, and finds the backend resting that it tried first."""
    first, second = Considered("b1", "acme/main", "primary", "m-1"), Considered("b2", "spare/main", "primary", "m-2")
    later = replace(COOLING, backend_id="b3", backend="third/main")
    tried = tuple(replace(CALL.attempts[0], backend_id=name) for name in ("b1", "b3"))

    told = explain_past(replace(CALL, considered=(first, second), skips=(COOLING, later), attempts=tried))

    assert [(one.backend, one.taken, one.reason) for one in told.candidates] == [
        ("acme/main", True, ""),
        ("spare/main", True, ""),
        ("third/main", False, "cooling"),  # skipped when it was decided, and tried only after a wait
    ]


def test_each_candidate_names_its_api_format() -> None:
    taken = Considered("b1", "acme/main", "primary", "m-1", api_format="anthropic_messages")
    skipped = replace(COOLING, backend_id="b2", api_format="openai_chat")

    told = explain_past(replace(CALL, considered=(taken,), skips=(skipped,), attempts=()))

    assert [one.api_format for one in told.candidates] == ["anthropic_messages", "openai_chat"]
