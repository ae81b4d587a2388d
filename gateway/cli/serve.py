"""`serve`: the gateway in the foreground, from the first check to the last byte written."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import resource
import shlex
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Protocol

import uvicorn
from msgspec.structs import replace

from gateway.app import open_app
from gateway.cli import banner, client_file, lock, logs
from gateway.cli.memory import giving_back, hold_little
from gateway.cli.offline import offline_desk
from gateway.cli.output import Output
from gateway.control import first_start, setup
from gateway.control.desk import Desk
from gateway.control.first_start import Detected
from gateway.edge.protocol import edge_protocol
from gateway.errors import ConfigurationFault, InvalidFields
from gateway.ops.detect import detect
from gateway.settings import Settings
from gateway.store.uncounted import count_no_memory

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
_log = logging.getLogger("gateway")


def serve(settings: Settings) -> int:
    """Serve until a signal says stop; 0 then. Raises StartError where it cannot start."""
    harden()
    hold_little()
    count_no_memory()
    with lock.hold(settings.data_dir) as held:
        require_password_beyond_loopback(settings)
        with bound(settings) as listener:
            settings = replace(settings, port=listener.getsockname()[1])
            held.announce(settings.base_url)
            with logs.configured(settings.log_format) as log:
                asyncio.run(_run(settings, listener, log))
    return 0


def harden() -> None:
    """Files are the owner's alone, and a crash leaves no memory image with keys in it."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def bound(settings: Settings) -> Generator[socket.socket]:
    """A socket that listens; who connects before the program is ready waits in its backlog."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationFault([f"--host {settings.host}: {error.strerror}"]) from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise ConfigurationFault(
                [
                    f"--port {settings.port} on {settings.host}: {error.strerror}; "
                    "choose another with --port, or 0 for a free one"
                ]
            ) from None
        yield listener


def require_password_beyond_loopback(settings: Settings) -> None:
    """Raises ConfigurationFault where others could reach a gateway that nobody has set up yet."""
    if _is_loopback(settings.host) or settings.admin_password_file:
        return
    if settings.database.exists() and not asyncio.run(_nobody_can_sign_in(settings)):
        return
    mend = shlex.join([sys.executable, "-m", "gateway", "password", "reset", "--data-dir", str(settings.data_dir)])
    raise ConfigurationFault(
        [f"--host {settings.host}: others could reach it, and it has no admin password. Set one with:\n    {mend}"]
    )


async def _nobody_can_sign_in(settings: Settings) -> bool:
    async with offline_desk(settings) as desk:
        return await setup.needs_setup(desk)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Stoppable(Protocol):
    def begin_stop(self) -> None:
        """Not ready any more; calls in flight go on."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the handlers that are installed: uvicorn's own would end the process before it is tidied up."""
        yield


class _Stop:
    """Handles SIGTERM, SIGINT and SIGHUP (a closed terminal) from before anything is opened until all is closed."""

    def __init__(self) -> None:
        self.is_asked = False
        self._app: Stoppable | None = None
        self._server: _Server | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._asked)

    def reaches(self, app: Stoppable, server: _Server) -> None:
        self._app, self._server = app, server

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True
        if self._app and self._server:
            self._app.begin_stop()
            self._server.handle_exit(number, frame)


async def _run(settings: Settings, listener: socket.socket, log: logs.Log) -> None:
    stop = _Stop()
    async with open_app(settings, tell=log.tell) as app, giving_back():
        lines = await prepare(app.desk)
        config = uvicorn.Config(
            app.asgi,
            http=edge_protocol(settings.trusted_proxies),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(settings.grace_seconds),
            limit_concurrency=max(100, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 3),
            backlog=BACKLOG,
        )
        server = _Server(config)
        stop.reaches(app, server)
        if not stop.is_asked:
            announce(lines, settings.log_format, log.output)
            await server.serve(sockets=[listener])


def announce(lines: banner.Banner, log_format: str, output: Output) -> None:
    """Text for people; where standard output is for JSON lines, it gets one of those, and people read the other."""
    is_json = log_format == "json"
    if is_json:
        output.put(f"{banner.json(lines)}\n".encode())
    output.put(f"{banner.text(lines)}\n".encode("utf-8", "backslashreplace"), stream=sys.stderr if is_json else None)


async def prepare(desk: Desk) -> banner.Banner:
    """Fill a new database, make the admin from the settings, and say what there is to say."""
    settings = desk.settings
    if settings.admin_password_file and await setup.needs_setup(desk):
        await _make_admin(desk, settings.admin_password_file)
    found: list[Detected] = []
    api_key = None
    if await first_start.is_due(desk):
        found = await detect(settings) if settings.detect else []
        api_key = await first_start.fill(desk, found)
        client_file.write(settings.data_dir, client_file.ClientFile(f"{settings.base_url}/v1", api_key))
    else:
        client_file.moved(settings.data_dir, f"{settings.base_url}/v1")
    return banner.Banner(
        base_url=settings.base_url,
        api_key=api_key,
        setup_token=await setup.new_link(desk) if await setup.needs_setup(desk) else None,
        found=found,
        client_file=client_file.path(settings.data_dir) if client_file.read(settings.data_dir) else None,
        notices=_notices(settings) if api_key else (),
    )


def _notices(settings: Settings) -> list[str]:
    key = settings.data_dir / "master.key"
    if settings.master_key or settings.master_key_file or not key.exists():
        return []
    return [f"back up {key} too: without it a copy of the database opens no provider key"]


async def _make_admin(desk: Desk, path: Path) -> None:
    try:
        password = _first_line(path)
        await setup.make_administrator(desk, "admin", password)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationFault([f"--admin-password-file {path}: cannot be read ({error})"]) from None
    except InvalidFields as error:
        raise ConfigurationFault([f"--admin-password-file {path}: {error.message}"]) from None


def _first_line(path: Path) -> str:
    return (path.read_text("utf-8").splitlines() or [""])[0]
