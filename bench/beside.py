"""What small calls wait while pages of a long ledger are loaded again and again, and while exports stream.

    python -m bench.beside DIRECTORY [--seconds 6] [--rounds 3]

Calls go one after the other to the gateway's own demo, for so long without and for so long beside each page, in turns.
The figures are milliseconds: medians over the rounds of each turn's 50th and 99th percentile, and of its longest.
"""

from __future__ import annotations

import argparse
import http.client
import json
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx

from bench.pages import served

PAGES = (
    *("/admin", "/admin?range=30d", "/admin/requests", "/admin/requests?text=nothing+has+this", "/admin/models"),
    *("/admin/usage?range=90d&group=user&subgroup=model", "/admin/usage?range=24h&group=user&subgroup=provider_key"),
    "/admin/requests.csv",
)
BODY = json.dumps({"model": "demo/echo", "messages": [{"role": "user", "content": "hello"}]})
Told = tuple[float, float, float]
"""50th and 99th percentile and the longest, in milliseconds."""


def calls_for(connection: http.client.HTTPConnection, key: str, seconds: float) -> Told:
    times, until = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", BODY, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(0.001)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100], times[-1]


def beside(browser: httpx.Client, path: str, connection: http.client.HTTPConnection, key: str, seconds: float) -> Told:
    """Calls while the page is loaded; an export is read to its end, or as far as it comes."""
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            with browser.stream("GET", path) as answer:
                assert answer.status_code == 200, answer.status_code
                for _ in answer.iter_raw():
                    if stop.is_set():
                        break

    loading = threading.Thread(target=load)
    loading.start()
    try:
        return calls_for(connection, key, seconds)
    finally:
        stop.set()
        loading.join()


def api_key(browser: httpx.Client, token: str) -> str:
    answer = browser.post(
        "/api/admin/api-keys",
        headers={"authorization": f"Bearer {token}"},
        json={"name": f"beside-{time.time_ns()}"},
    )
    return str(answer.json()["key"])


def _row(name: str, found: Sequence[Told]) -> str:
    return f"| {name} | {' | '.join(f'{median(column):.1f}' for column in zip(*found, strict=True))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with served(arguments.directory) as (browser, token, _):
        key, found = api_key(browser, token), defaultdict[str, list[Told]](list)
        connection = http.client.HTTPConnection(urlsplit(str(browser.base_url)).netloc)
        for _ in range(arguments.rounds):
            for path in PAGES:
                found["nothing"].append(calls_for(connection, key, arguments.seconds / 2))
                found[path].append(beside(browser, path, connection, key, arguments.seconds))
        print("| beside | p50 ms | p99 ms | longest ms |\n| --- | ---: | ---: | ---: |")
        for path, told in found.items():
            print(_row(path, told))


if __name__ == "__main__":
    main()
