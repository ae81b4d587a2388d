"""The gateway as a user starts it, with one scripted provider of each format behind it, and a file with a secret."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.upstream.server import SPEECHES, Upstream, scripted
from tests.cli.program import Program, run, serving

UPSTREAMS = tuple(SPEECHES)


@dataclass(frozen=True, slots=True)
class Stage:
    """`work` is empty but for `secret.txt`, which holds the word that an answer must quote."""

    program: Program
    api_key: str
    management_token: str
    upstreams: Mapping[str, Upstream]
    work: Path
    word: str

    @property
    def origin(self) -> str:
        return self.program.url

    @property
    def secret_file(self) -> Path:
        return self.work / "secret.txt"

    def backend(self, **fields: Any) -> None:
        """Register a backend over the admin API, as an operator would."""
        headers = {"authorization": f"Bearer {self.management_token}"}
        body = {"local_upstream": True, "api_key": "sk-scripted-provider", **fields}
        status, _, answer = self.program.request("POST", "/api/admin/backends", body, headers)
        if status != 201:
            raise RuntimeError(f"the backend {fields['name']} was refused: {answer.decode()}")


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
            word=f"heron{secrets.token_hex(4)}",
        )
        stage.work.mkdir()
        stage.secret_file.write_text(f"The word is {stage.word}.\n", "utf-8")
        for name, upstream in upstreams.items():
            stage.backend(
                name=f"scripted-{name}",
                base_url=upstream.base_url,
                api_format=SPEECHES[name].api_format,
                models={model_of(name): "scripted"},
            )
        yield stage
