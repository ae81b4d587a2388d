"""`explain MODEL`: where a call would go now, and why not elsewhere. Nothing is sent and nothing is charged."""

from __future__ import annotations

import argparse
import http.client
import sys
from typing import Any

import msgspec

from gateway.cli import running
from gateway.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the plan, one backend a line, or as JSON. 1 where the gateway does not answer or knows no such model."""
    body = {"model": arguments.model, "messages": []}
    try:
        answer = running.ask(settings, body, {"x-gateway-dry-run": "1"}).read()
    except (running.Failed, OSError, http.client.HTTPException) as error:
        print(f"explain: {error or type(error).__name__}", file=sys.stderr)
        return 1
    if arguments.json:
        print(answer.decode())
        return 0
    plan = msgspec.json.decode(answer)
    route = f" by the rule {plan['route']}" if plan["route"] else ""
    print(f"{plan['model']}{route}  (configuration {plan['config_version']}, seed {plan['seed']})")
    for number, line in enumerate(map(_line, plan["candidates"]), 1):
        print(f"{number:>3}  {line}")
    return 0


def _line(candidate: dict[str, Any]) -> str:
    where = f"{candidate['pool']:<10} {candidate['backend']:<24} {candidate['api_format']:<18}"
    if candidate["taken"]:
        why = f" ({candidate['why']})" if candidate["why"] else ""
        return f"{where} as {candidate['upstream_model']}{why}"
    return f"{where} skipped, {candidate['reason']}: {candidate['sentence']}"
