"""client.env."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gateway.cli import client_file
from gateway.cli.client_file import ClientFile

CLIENT = ClientFile("http://127.0.0.1:8080/v1", "sk-gw-x=y")


def test_what_is_written_is_read_and_only_by_its_owner(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        client_file.write(tmp_path, CLIENT)
        client_file.write(tmp_path, CLIENT)
    finally:
        os.umask(old)

    assert client_file.read(tmp_path) == CLIENT
    assert stat.S_IMODE(client_file.path(tmp_path).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["client.env"]


def test_a_move_keeps_the_key_and_writes_nothing_where_nothing_moved(tmp_path: Path) -> None:
    client_file.write(tmp_path, CLIENT)
    before = client_file.path(tmp_path).stat().st_ino

    client_file.moved(tmp_path, CLIENT.base_url)
    assert client_file.path(tmp_path).stat().st_ino == before
    client_file.moved(tmp_path, "http://127.0.0.1:9000/v1")

    assert client_file.read(tmp_path) == ClientFile("http://127.0.0.1:9000/v1", CLIENT.api_key)


def test_a_file_that_somebody_deleted_or_emptied_stays_so(tmp_path: Path) -> None:
    client_file.moved(tmp_path, CLIENT.base_url)
    assert not client_file.path(tmp_path).exists()

    for content in (b"", b"GATEWAY_API_KEY=\n", b"nonsense", b"\xff\xfe"):
        client_file.path(tmp_path).write_bytes(content)
        client_file.moved(tmp_path, CLIENT.base_url)
        assert client_file.read(tmp_path) is None
        assert client_file.path(tmp_path).read_bytes() == content
