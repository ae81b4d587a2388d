"""How long every page and list of the admin site takes, with ledgers that bench/seed.py made.

    python -m bench.pages DIRECTORY [DIRECTORY ...] [--rounds 20] [--only usage]

Starts the real program on each directory, signs in, and asks for each page again and again from one connection. The
figures are what a browser would wait, on loopback: the median and the 95th percentile in milliseconds. `{deep}` pages
are three quarters down the list, about the ten thousandth of a million calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import httpx

from bench.processes import PYTHON, cpu_seconds, line_of, running
from bench.seed import IDLE_KEY, PASSWORD
from gateway.admin.routes import PAGES
from gateway.api.routes import all_operations
from gateway.cli import lock
from gateway.cli.offline import offline_desk
from gateway.control import tokens
from gateway.model.people import Actor
from gateway.settings import Settings

NOUNS = ("providers", "endpoints", "pools", "provider-keys", "backends", "models", "mappings", "route-rules", "users")
DEEP = "req_{:012x}"
LISTS = "requests"
SLOW = 60
FILTERS = (
    *("key={key}", "key={idle}", "key={idle}&status=failed", "user=user03", "model=gpt-5", "provider=openai"),
    *("model=gpt-5&range=7d", "model=gpt-5&range=90d", "key={key}&model=gemma-27b", "provider=openai&model=gemma-27b"),
    *(
        "status=failed",
        "status=cancelled",
        "status=crashed",
        "code=404",
        "code=418",
        "code=5xx",
        "code=2xx",
        "code=301",
    ),
    *("text=internal", "text=nothing+has+this", "text=internal&range=30d", "text=nothing+has+this&range=90d"),
    *("session=session-long", "session=session-long&status=failed", "key=nobody", "key={key}&model=nobody"),
    *("user=user03&model=o4-mini&provider=openai&status=completed", "range=90d", "range=1h"),
)
VARIANTS = (
    *("/admin?range=1h", "/admin?range=24h", "/admin?range=7d", "/admin?range=30d"),
    *(f"/admin/requests?{one}" for one in FILTERS),
    *("/admin/requests?before={deep}", "/admin/requests?before={deep}&status=cancelled"),
    *("/admin/requests?before={deep}&text=internal&key={key}", "/admin/requests?before={deep}&model=gpt-5"),
    *("/admin/requests?before={deep}&session=session-long", "/admin/requests?before={deep}&code=2xx"),
    *("/api/admin/requests?limit=500", "/api/admin/requests?limit=500&before={deep}"),
    *("/admin/requests/agents?session=session-long", "/api/admin/requests/agents?session=session-long"),
    *("/admin/usage?range=24h&group=user", "/admin/usage?range=7d&bucket=hour&group=api_key"),
    *("/admin/usage?range=30d&group=api_key&subgroup=model&metric=cost", "/admin/usage?range=90d&group=provider"),
    *("/admin/usage?range=30d&group=api_key&model=gpt-5", "/admin/usage?range=30d&group=model&metric=p95_first"),
    *("/admin/usage?range=24h&group=user&subgroup=provider_key", "/admin/usage?range=90d&group=user&subgroup=model"),
    *("/admin/audit?actor=nobody", "/admin/audit?action=update"),
    "/api/admin/providers/{provider}/health?lookback_hours=72&per_endpoint_limit=200",
)
SKIPPED = re.compile(
    r"/export|/login|/setup|/events|/delete|/openapi|/models/\{id\}/test|/upstream-models|\{id\}/models$|\{name\}"
)


async def _token(settings: Settings) -> str:
    async with offline_desk(settings) as desk:
        plain, _ = await tokens.mint(desk, Actor("cli", "bench", "bench"), "bench")
        return plain


@contextmanager
def served(directory: Path) -> Iterator[tuple[httpx.Client, str, int]]:
    """A signed-in browser, a management token, and the gateway's process id."""
    settings = Settings(data_dir=directory.absolute())
    with lock.hold(settings.data_dir):
        token = asyncio.run(_token(settings))
    command = ["-m", "gateway", "serve", "--data-dir", str(directory.absolute()), "--port", "0", "--log-format", "json"]
    with running(PYTHON, *command, "--no-detect") as process:
        lines = (json.loads(line) for line in iter(lambda: line_of(process), ""))
        base = str(next(line["api"] for line in lines if "api" in line)).removesuffix("/v1")
        # The access log goes to this pipe; somebody has to empty it.
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        with ExitStack() as closing, httpx.Client(base_url=base, timeout=60) as browser:
            closing.callback(drain.wait)
            closing.callback(process.terminate)
            form = dict(re.findall(r'name="(csrf\w*)" value="([^"]*)"', browser.get("/admin/login").text))
            sent = {**form, "username": "admin", "password": PASSWORD}
            answer = browser.post("/admin/login", data=sent, headers={"origin": base})
            assert answer.status_code == 303, answer.text
            yield browser, token, process.pid


def paths(browser: httpx.Client, token: str) -> list[str]:
    """Every page and every list of the JSON API, ids filled in with the first one there is."""
    ids = {noun: _first(browser, token, noun) for noun in (*NOUNS, "api-keys", LISTS)}
    ids["keys"] = ids["api-keys"]
    deep = DEEP.format(time.time_ns() // 1_000_000 - 45 * 24 * 3_600_000)
    found = [path for method, path, *_ in PAGES if method == "GET"]
    found += [operation.path for operation in all_operations() if operation.method == "GET"]
    filled = [_filled(path, ids) for path in dict.fromkeys(found) if not SKIPPED.search(path)]
    known = {"key": ids["keys"], "idle": _idle(browser, token), "deep": deep, "provider": ids["providers"]}
    variants = [path.format(**known) for path in VARIANTS]
    return [path for path in (*filled, *variants) if path]


def _first(browser: httpx.Client, token: str, noun: str) -> str:
    answer = browser.get(f"/api/admin/{noun}", headers={"authorization": f"Bearer {token}"})
    items = answer.json().get("items", []) if answer.status_code == 200 else []
    return str(items[0]["id"]) if items else ""


def _idle(browser: httpx.Client, token: str) -> str:
    answer = browser.get("/api/admin/api-keys", headers={"authorization": f"Bearer {token}"})
    return next((str(item["id"]) for item in answer.json()["items"] if item["name"] == IDLE_KEY), "none")


def _filled(path: str, ids: dict[str, str]) -> str:
    """The path with its ids; empty where there is nothing to fill in."""
    match = re.fullmatch(r"(?:/api)?/admin/([\w-]+)/\{\w+\}(/[\w/-]+)?", path)
    if match is None:
        return "" if "{" in path else path
    return re.sub(r"\{\w+\}", ids[match[1]], path) if ids.get(match[1]) else ""


class Measured(NamedTuple):
    """Status, the 50th and 95th percentile, and the gateway's own processor time for each: milliseconds."""

    status: int
    middle: float
    high: float
    cpu: float


def measure(browser: httpx.Client, token: str, path: str, rounds: int, pid: int) -> Measured:
    headers = {"authorization": f"Bearer {token}"} if path.startswith("/api") else {}
    times, cpu, answer = [], 0.0, None
    for number in range(rounds + 1):
        if number == 1:
            cpu = cpu_seconds(pid)
        began = time.perf_counter()
        answer = browser.get(path, headers=headers)
        times.append((time.perf_counter() - began) * 1000)
    assert answer is not None
    cuts = quantiles(times[1:], n=20, method="inclusive")
    return Measured(answer.status_code, cuts[9], cuts[18], (cpu_seconds(pid) - cpu) / rounds * 1000)


def all_of(directory: Path, rounds: int, only: str, settle: float) -> dict[str, Measured]:
    """By path; ids are left out of it, so that directories can be compared."""
    found = {}
    with served(directory) as (browser, token, pid):
        time.sleep(settle)
        for path in paths(browser, token):
            if only in path:
                named = re.sub(r"\breq_[0-9a-f]+", "{deep}", re.sub(r"\b[0-9a-f]{16}(:[0-9a-f]{16})?\b", "{id}", path))
                while named in found:
                    named += " "
                found[named] = measure(browser, token, path, rounds, pid)
    return found


def report(found: dict[str, dict[str, Measured]]) -> None:
    """A table of all paths, the slowest first, and how many take longer than they may."""
    names = list(found)
    print(f"| path | {' | '.join(f'{name}: p50 | p95 | CPU' for name in names)} |")
    print(f"| --- |{' ---: | ---: | ---: |' * len(names)}")
    paths_by_time = sorted(found[names[-1]], key=lambda path: -found[names[-1]][path].high)
    for path in paths_by_time:
        cells = [found[name].get(path) for name in names]
        told = " | ".join(
            "– | – | –" if one is None else f"{one.middle:.1f} | {one.high:.1f} | {one.cpu:.0f}" for one in cells
        )
        print(f"| {path.strip()} | {told} |")
    for name in names:
        odd = [f"{path} {one.status}" for path, one in found[name].items() if one.status >= 500]
        slow = sum(one.high > SLOW for one in found[name].values())
        print(f"\n{name}: {len(found[name])} paths, {slow} over {SLOW} ms at p95, faults: {odd or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="paths that have this inside")
    parser.add_argument("--settle", type=float, default=0, help="seconds to wait first, while sums are made")
    arguments = parser.parse_args()
    report(
        {
            directory.name: all_of(directory, arguments.rounds, arguments.only, arguments.settle)
            for directory in arguments.directories
        }
    )


if __name__ == "__main__":
    main()
