"""`/api/admin/models/{id}/check`, `…/test` and `/api/admin/models/usage`: what is found out about models."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import model_checks, model_tests, usage_reports
from gateway.model.checks import ModelCheck, ModelTest


class UsageTaken(msgspec.Struct, frozen=True):
    """How many reports were written down."""

    taken: int


@policy("token")
async def _check(visit: Visit) -> object:
    return await model_checks.run(visit.desk, visit.actor, visit.path["id"], visit.body)


@policy("token")
async def _checks(visit: Visit) -> object:
    found = await model_checks.history(visit.desk, visit.path["id"])
    return Items(found, len(found))


@policy("token")
async def _test(visit: Visit) -> object:
    return await model_tests.run(visit.desk, visit.actor, visit.path["id"], visit.body)


@policy("token")
async def _tests(visit: Visit) -> object:
    found = await model_tests.history(visit.desk, visit.path["id"])
    return Items(found, len(found))


@policy("token")
async def _take_usage(visit: Visit) -> object:
    return UsageTaken(len(await usage_reports.take_in(visit.desk, visit.actor, visit.body)))


_ONE = f"{PREFIX}/models/{{id}}"

OPERATIONS = (
    Operation(
        "POST",
        f"{PREFIX}/models/usage",
        "report_usage",
        "Take in use of models that happened elsewhere: all of the reports or none.",
        _take_usage,
        UsageTaken,
        201,
        usage_reports.FIELDS,
    ),
    Operation(
        "POST",
        f"{_ONE}/check",
        "check_model",
        "Look at its configuration and ask its backends.",
        _check,
        ModelCheck,
        200,
        model_checks.FIELDS,
    ),
    Operation(
        "GET",
        f"{_ONE}/checks",
        "list_checks",
        "Its newest twenty checks, newest first.",
        _checks,
        ModelCheck,
        is_list=True,
    ),
    Operation(
        "POST",
        f"{_ONE}/test",
        "test_model",
        "Send it a message, as a client would.",
        _test,
        ModelTest,
        200,
        model_tests.FIELDS,
    ),
    Operation("GET", f"{_ONE}/tests", "list_tests", "Its newest twenty tests.", _tests, ModelTest, is_list=True),
)
