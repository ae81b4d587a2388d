from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest

from gateway.errors import ConfigurationFault
from gateway.vault import (
    Secret,
    Vault,
    create_master_key,
    fingerprint,
    hash_password,
    mask,
    new_token,
    provider_key_binding,
    read_master_key,
    same,
    verify_password,
)

VAULT = Vault(bytes(32))


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-very-secret")
    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert secret.reveal() == "sk-very-secret"


def test_a_secret_is_not_kept_as_it_is() -> None:
    for text in ("sk-very-secret", "", "kéy \ud800", "\0leading"):
        secret = Secret(text)
        assert secret.reveal() == text
        assert secret.reveal_bytes() == text.encode("utf-8", "surrogatepass")
        plain = int.from_bytes(text.encode("utf-8", "surrogatepass"))
        assert not text or plain not in [getattr(secret, name) for name in secret.__slots__]


def test_a_sealed_secret_opens_only_where_it_belongs() -> None:
    sealed = VAULT.seal("sk-1", provider_key_binding("row", "https://a.test:443"))

    assert b"sk-1" not in sealed
    assert VAULT.unseal(sealed, provider_key_binding("row", "https://a.test:443")).reveal() == "sk-1"
    for binding in (
        provider_key_binding("other", "https://a.test:443"),
        provider_key_binding("row", "https://b.test:443"),
    ):
        with pytest.raises(ValueError, match="sealed for something else"):
            VAULT.unseal(sealed, binding)
    with pytest.raises(ValueError, match="changed"):
        VAULT.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), provider_key_binding("row", "https://a.test:443"))
    with pytest.raises(ValueError, match="changed"):
        Vault(bytes(31) + b"x").unseal(sealed, provider_key_binding("row", "https://a.test:443"))


def test_a_hash_depends_on_the_whole_token_and_on_the_master_key() -> None:
    token = new_token("sk-gw-")
    assert len(token) == 49
    assert VAULT.hash_token(token) != VAULT.hash_token(token[:-1] + "_")
    assert VAULT.hash_token(token) != Vault(bytes(31) + b"x").hash_token(token)


def test_a_hash_is_the_keyed_one_that_is_stored() -> None:
    pepper = hashlib.blake2b(b"", key=bytes(32), person=b"weir-pepper", digest_size=32).digest()
    for token in ("", "sk-gw-1", "x" * 500, "\ud800é"):
        assert VAULT.hash_token(token) == hmac.digest(pepper, token.encode("utf-8", "surrogatepass"), "sha256")


def test_a_verifier_recognises_its_master_key() -> None:
    assert VAULT.fits(VAULT.verifier())
    assert not Vault(bytes(31) + b"x").fits(VAULT.verifier())
    assert not VAULT.fits(b"rubbish" * 10)


@pytest.mark.parametrize("length", [0, 1, 31, 33])
def test_a_short_or_long_master_key_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(bytes(length))


def test_passwords_are_argon2id_and_fit_only_themselves() -> None:
    stored = hash_password("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse battery")
    assert not verify_password(stored, "correct horse batterz")
    assert not verify_password(stored, stored)


@pytest.mark.parametrize(("secret", "shown"), [("sk-abcdefghijklmnop", "sk-a…mnop"), ("short", "…rt"), ("", "")])
def test_a_mask_hides_most(secret: str, shown: str) -> None:
    assert mask(secret) == shown


def test_fingerprints_tell_secrets_apart() -> None:
    assert fingerprint("a") != fingerprint("b")
    assert len(fingerprint("a")) == 12
    assert same("x", "x")
    assert not same("x", "y")


def test_a_master_key_file_is_private_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = create_master_key(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_master_key(path) == made
    with pytest.raises(FileExistsError):
        create_master_key(path)


def test_an_unusable_master_key_file_is_named_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(ConfigurationFault, match="master.key"):
        read_master_key(path)
    path.write_text("zz")
    os.chmod(path, 0o600)
    with pytest.raises(ConfigurationFault, match="64 hexadecimal"):
        read_master_key(path)
    path.write_text("00" * 32)
    os.chmod(path, 0o644)
    with pytest.raises(ConfigurationFault, match="chmod 600"):
        read_master_key(path)
