"""How long every page and list of the admin site takes, with the ledger that bench/seed.py made.

    python -m bench.pages DIRECTORY [--rounds 20] [--only usage]

Starts the real program on the directory, signs in, and asks for each page again and again from one connection. The
figures are what a browser would wait, on loopback: the median and the 95th percentile.
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
from typing import Any

import httpx

from bench.__main__ import PYTHON, line_of, running
from bench.seed import PASSWORD
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
VARIANTS = (
    *("/admin?range=1h", "/admin?range=24h", "/admin?range=7d", "/admin?range=30d"),
    *("/admin/requests?key={key}", "/admin/requests?model=gpt-5&range=7d", "/admin/requests?provider=openai"),
    *("/admin/requests?status=failed", "/admin/requests?code=5xx", "/admin/requests?code=404"),
    *(
        "/admin/requests?text=internal",
        "/admin/requests?text=nothing+has+this",
        "/admin/requests?text=internal&range=30d",
    ),
    *("/admin/requests?before={deep}", "/admin/requests?before={deep}&status=cancelled"),
    "/admin/requests?before={deep}&text=internal&key={key}",
    *("/admin/usage?range=24h&group=user", "/admin/usage?range=7d&bucket=hour&group=api_key"),
    *("/admin/usage?range=30d&group=api_key&subgroup=model&metric=cost", "/admin/usage?range=90d&group=provider"),
    *("/admin/usage?range=30d&group=api_key&model=gpt-5", "/admin/usage?range=30d&group=model&metric=p95_first"),
    *("/admin/usage?range=24h&group=user&subgroup=provider_key", "/admin/usage?range=90d&group=user&subgroup=model"),
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
def served(directory: Path) -> Iterator[tuple[httpx.Client, str]]:
    """A signed-in browser, and a management token."""
    settings = Settings(data_dir=directory.absolute())
    with lock.hold(settings.data_dir):
        token = asyncio.run(_token(settings))
    command = ["-m", "gateway", "serve", "--data-dir", str(directory), "--port", "0", "--log-format", "json"]
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
            yield browser, token


def paths(browser: httpx.Client, token: str) -> list[str]:
    """Every page and every list of the JSON API, ids filled in with the first one there is."""
    ids = {noun: _first(browser, token, noun) for noun in (*NOUNS, "api-keys", LISTS)}
    ids["keys"] = ids["api-keys"]
    deep = DEEP.format(time.time_ns() // 1_000_000 - 45 * 24 * 3_600_000)
    found = [path for method, path, *_ in PAGES if method == "GET"]
    found += [operation.path for operation in all_operations() if operation.method == "GET"]
    filled = [_filled(path, ids) for path in dict.fromkeys(found) if not SKIPPED.search(path)]
    variants = [path.format(key=ids["keys"], deep=deep, provider=ids["providers"]) for path in VARIANTS]
    return [path for path in (*filled, *variants) if path]


def _first(browser: httpx.Client, token: str, noun: str) -> str:
    answer = browser.get(f"/api/admin/{noun}", headers={"authorization": f"Bearer {token}"})
    items = answer.json().get("items", []) if answer.status_code == 200 else []
    return str(items[0]["id"]) if items else ""


def _filled(path: str, ids: dict[str, str]) -> str:
    """The path with its ids; empty where there is nothing to fill in."""
    match = re.fullmatch(r"(?:/api)?/admin/([\w-]+)/\{\w+\}(/[\w/-]+)?", path)
    if match is None:
        return "" if "{" in path else path
    return re.sub(r"\{\w+\}", ids[match[1]], path) if ids.get(match[1]) else ""


def measure(browser: httpx.Client, token: str, path: str, rounds: int) -> tuple[int, float, float, float, int]:
    """Status, the first time, p50 and p95 in milliseconds, and bytes."""
    headers = {"authorization": f"Bearer {token}"} if path.startswith("/api") else {}
    times, answer = [], None
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = browser.get(path, headers=headers)
        times.append((time.perf_counter() - began) * 1000)
    assert answer is not None
    cuts = quantiles(times[1:], n=20, method="inclusive")
    return answer.status_code, times[0], cuts[9], cuts[18], len(answer.content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="paths that have this inside")
    parser.add_argument("--settle", type=float, default=0, help="seconds to wait first, while sums are made")
    arguments = parser.parse_args()
    with served(arguments.directory) as (browser, token):
        time.sleep(arguments.settle)
        print("| path | status | first ms | p50 ms | p95 ms | bytes |\n| --- | ---: | ---: | ---: | ---: | ---: |")
        found: list[tuple[str, Any]] = []
        for path in paths(browser, token):
            if arguments.only in path:
                found.append((path, measure(browser, token, path, arguments.rounds)))
                status, first, middle, high, size = found[-1][1]
                print(f"| {path} | {status} | {first:.1f} | {middle:.1f} | {high:.1f} | {size} |", flush=True)
        slow = [path for path, (_, _, _, high, _) in found if high > 60]
        print(f"\n{len(found)} paths, {len(slow)} of them over 60 ms at p95", *slow, sep="\n  ")


if __name__ == "__main__":
    main()
