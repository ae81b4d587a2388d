"""The gateway as a user starts it, with one scripted provider of each format behind it, and two files with secrets."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from clients import judges
from clients.cells import Cell
from clients.upstream.server import SPEECHES, Upstream, scripted
from tests.cli.program import Program, run, serving

UPSTREAMS = tuple(SPEECHES)
_WRITTEN_BY = 0.5
"""Seconds after which the ledger has a call that ended."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`work` is a directory, in which there are `secrets`: files by their names, each with a word in it."""

    program: Program
    api_key: str
    management_token: str
    upstreams: Mapping[str, Upstream]
    work: Path
    secrets: Mapping[str, str]

    @property
    def origin(self) -> str:
        return self.program.url

    def hide_secrets(self, place: Path) -> None:
        for name, word in self.secrets.items():
            (place / name).write_text(f"The word is {word}.\n", "utf-8")

    @contextmanager
    def judging(self, client: str, api_format: str) -> Iterator[list[Cell]]:
        """The list gets what the upstreams of other formats had to say of their requests, once the block ends."""
        marks = {name: (len(one.bodies), len(one.signatures)) for name, one in self.upstreams.items()}
        found: list[Cell] = []
        yield found
        for name, (bodies, signatures) in marks.items():
            upstream = self.upstreams[name]
            if upstream.signatures[signatures:]:
                found.append(Cell(client, name, "signed"))
            faults = [judges.fault(name, body) for body in upstream.bodies[bodies:]] if name != api_format else []
            found += [Cell(client, name, "request", fault) for fault in dict.fromkeys(faults) if fault]

    def backend(self, **fields: Any) -> None:
        """Register a backend over the admin API, as an operator would."""
        headers = {"authorization": f"Bearer {self.management_token}"}
        body = {"local_upstream": True, "api_key": "sk-scripted-provider", **fields}
        status, _, answer = self.program.request("POST", "/api/admin/backends", body, headers)
        if status != 201:
            raise RuntimeError(f"the backend {fields['name']} was refused: {answer.decode()}")

    def newest_call(self) -> str:
        """The id of the last call in the ledger, empty where it has none."""
        rows = self._ledger(1)
        return str(rows[0]["id"]) if rows else ""

    def faults_after(self, call_id: str) -> list[str]:
        """What the gateway answered with errors since that call."""
        time.sleep(_WRITTEN_BY)
        rows = self._ledger(100)
        ids = [row["id"] for row in rows]
        new = rows[: ids.index(call_id)] if call_id in ids else rows
        return [f"{row['path']} {row['code']} {row['error']}" for row in new if row["status"] == "failed"]

    def _ledger(self, most: int) -> list[dict[str, Any]]:
        headers = {"authorization": f"Bearer {self.management_token}"}
        _, _, answer = self.program.request("GET", f"/api/admin/requests?limit={most}", headers=headers)
        return list(json.loads(answer)["items"])


def question(work: Path, names: Iterable[str]) -> str:
    """Asks for what only a tool can know."""
    return f"Read the files {' and '.join(str(work / name) for name in names)} and say the words in them."


def model_of(upstream: str) -> str:
    """The public model that only this upstream serves."""
    return f"scripted-{upstream}"


@contextmanager
def set_up() -> Iterator[Stage]:
    with ExitStack() as opened:
        place = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="weir-clients-")))
        made = json.loads(run("init", "--data-dir", str(place / "gateway"), "--json", "--no-detect").stdout)
        upstreams = {name: opened.enter_context(scripted(name)) for name in UPSTREAMS}
        program = opened.enter_context(serving(place / "gateway", "--no-detect"))
        stage = Stage(
            program=program,
            api_key=made["api_key"],
            management_token=made["management_token"],
            upstreams=upstreams,
            work=place / "work",
            secrets={f"secret-{name}.txt": f"{name}{token_hex(4)}" for name in ("heron", "otter")},
        )
        stage.work.mkdir()
        stage.hide_secrets(stage.work)
        for name, upstream in upstreams.items():
            stage.backend(
                name=f"scripted-{name}",
                base_url=upstream.base_url,
                api_format=SPEECHES[name].api_format,
                models={model_of(name): SPEECHES[name].model},
            )
        yield stage
