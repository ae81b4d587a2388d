"""Other gateways, and nginx as what a program in C without any logic costs, each in front of the same mock provider.

They are installed when asked for, by their registries' ordinary clients, and run as their documents say: one worker, no
database, no limits, no ledger; LiteLLM does not start without a key, so it gets one. What they leave out, Weir does in
the same run.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from bench import processes
from bench.installed import Missing, from_debian, from_npm, from_pypi, version_of
from bench.processes import Failed, listening, running
from bench.targets import CHAT, MODEL, Target, ask

# The newest whose own requirements can all be met from PyPI on the day that it was chosen.
LITELLM = "litellm[proxy]==1.106.2"
# With a newer server for node it does not stream.
PORTKEY: dict[str, object] = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    "overrides": {"@hono/node-server": "1.3.3"},
}
_PATIENCE = 120.0


@contextmanager
def nginx(port: int, directory: Path) -> Iterator[Target]:
    program, at = from_debian("nginx"), processes.free_port()
    config = directory / "nginx.conf"
    config.write_text(_NGINX.format(directory=directory, port=port, at=at), "utf-8")
    command = [program, "-p", str(directory), "-c", str(config), "-e", str(directory / "nginx.errors")]
    with running(*command, log=directory / "nginx.log") as process:
        listening(at, process)
        yield Target("nginx", f"http://127.0.0.1:{at}{CHAT}", pid=process.pid)


_NGINX = """daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.errors;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  upstream mock {{ server 127.0.0.1:{port}; keepalive 512; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{at} backlog=2048;
    keepalive_requests 1000000;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@contextmanager
def portkey(port: int, directory: Path) -> Iterator[Target]:
    modules, at = from_npm("portkey", PORTKEY), processes.free_port()
    server = modules / "@portkey-ai/gateway/build/start-server.js"
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{port}/v1",
        "authorization": "Bearer sk-bench-0123456789",
    }
    command = ["node", str(server), f"--port={at}", "--headless"]
    environment = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    with running(*command, env=environment, log=directory / "portkey.log") as process:
        listening(at, process)
        yield Target("Portkey", f"http://127.0.0.1:{at}{CHAT}", headers, process.pid)


@contextmanager
def litellm(port: int, directory: Path) -> Iterator[Target]:
    programs, at = from_pypi("litellm", LITELLM), processes.free_port()
    config = directory / "litellm.yaml"
    key = f"sk-{secrets.token_hex(32)}"
    config.write_text(_LITELLM.format(model=MODEL, port=port, key=key), "utf-8")
    command = [str(programs / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(at)]
    environment = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with running(*command, "--num_workers", "1", env=environment, log=directory / "litellm.log") as process:
        listening(at, process, _PATIENCE)
        headers = {"authorization": f"Bearer {key}"}
        yield Target("LiteLLM", f"http://127.0.0.1:{at}{CHAT}", headers, process.pid, share=0.08)


_LITELLM = """model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{port}/v1
      api_key: sk-bench-0123456789
general_settings:
  master_key: {key}
litellm_settings:
  telemetry: false
  num_retries: 0
  request_timeout: 60
"""

PEERS = {"nginx": nginx, "Portkey": portkey, "LiteLLM": litellm}


def versions(names: Sequence[str]) -> dict[str, str]:
    """Of what is installed here of those, or was just now."""
    found = {}
    for name in names:
        with suppress(Missing):
            found[name] = _VERSIONS[name]()
    return found


def _nginx_version() -> str:
    said = subprocess.run([from_debian("nginx"), "-v"], capture_output=True, text=True, check=True)
    return (said.stdout + said.stderr).strip().rpartition("/")[2]


def _litellm_version() -> str:
    packages = from_pypi("litellm", LITELLM).parent.glob("lib/python3.*/site-packages/litellm-[0-9]*.dist-info")
    return next((one.name.removeprefix("litellm-").removesuffix(".dist-info") for one in packages), "")


_VERSIONS: dict[str, Callable[[], str]] = {
    "nginx": _nginx_version,
    "Portkey": lambda: version_of(from_npm("portkey", PORTKEY), "@portkey-ai/gateway"),
    "LiteLLM": _litellm_version,
}


@contextmanager
def serving(names: Sequence[str], port: int, directory: Path) -> Iterator[tuple[list[Target], dict[str, str]]]:
    """Those of them that can be had here, each having answered once; and why the others cannot."""
    found, missing = [], {}
    with ExitStack() as closing:
        for name in names:
            try:
                found.append(closing.enter_context(_one(name, port, directory)))
            except (Missing, Failed) as why:
                missing[name] = str(why)
        yield found, missing


@contextmanager
def _one(name: str, port: int, directory: Path) -> Iterator[Target]:
    began = time.perf_counter()
    with PEERS[name](port, directory) as target:
        ask(target, {"model": target.model, "messages": [{"role": "user", "content": "Say something."}]})
        yield replace(target, started=time.perf_counter() - began)
