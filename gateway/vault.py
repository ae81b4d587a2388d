"""Secrets: sealing provider keys, hashing what people present, and the master key all of it hangs on."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

import nacl.exceptions
import nacl.pwhash
import nacl.secret
import nacl.utils

from gateway.errors import ConfigurationFault

MASTER_KEY_BYTES = 32
_VERIFIER = b"weir master key v1"
_HASH_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ mark for byte in range(256)) for mark in (0x36, 0x5C))


class Secret:
    """A plaintext that shows itself only when asked: printing, logging or repr give `***`.

    What is kept is the text and a random pad mixed: neither of them alone, nor any part of memory that lacks one of
    the two, says anything of it.
    """

    __slots__ = ("_pad", "_size", "_veiled")

    def __init__(self, text: str) -> None:
        plain = text.encode("utf-8", "surrogatepass")
        self._size = len(plain)
        self._pad = int.from_bytes(secrets.token_bytes(self._size))
        self._veiled = int.from_bytes(plain) ^ self._pad

    def reveal(self) -> str:
        return self.reveal_bytes().decode("utf-8", "surrogatepass")

    def reveal_bytes(self) -> bytes:
        """The text in UTF-8."""
        return (self._veiled ^ self._pad).to_bytes(self._size)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


class Vault:
    """Subkeys of one master key; each is used for one thing."""

    def __init__(self, master: bytes) -> None:
        if len(master) != MASTER_KEY_BYTES:
            raise ValueError("the master key must be 32 bytes")
        self._aead = nacl.secret.Aead(_subkey(master, b"weir-provider"))
        self._captures = nacl.secret.Aead(_subkey(master, b"weir-captures"))
        # HMAC in its two halves (RFC 2104), ready to be copied: `hmac.digest` lets another thread run in the middle
        # of it, and `hmac.new` makes objects of Python's own for what two hashes do.
        pepper = _subkey(master, b"weir-pepper").ljust(_HASH_BLOCK, b"\0")
        self._inner = hashlib.sha256(pepper.translate(_INNER))
        self._outer = hashlib.sha256(pepper.translate(_OUTER))
        self._csrf = _subkey(master, b"weir-csrf")

    def seal(self, secret: str, bound_to: str) -> bytes:
        """Encrypt so that only `unseal` with the same `bound_to` opens it."""
        return bytes(self._aead.encrypt(secret.encode(), bound_to.encode()))

    def unseal(self, sealed: bytes, bound_to: str) -> Secret:
        """Raises ValueError where the text was changed or belongs to another row or host."""
        try:
            return Secret(self._aead.decrypt(sealed, bound_to.encode()).decode())
        except nacl.exceptions.CryptoError:
            raise ValueError("this secret was sealed for something else, or was changed") from None

    def seal_bytes(self, content: bytes, bound_to: str) -> bytes:
        """The same for what is kept of calls, with a key of its own."""
        return bytes(self._captures.encrypt(content, bound_to.encode()))

    def unseal_bytes(self, sealed: bytes, bound_to: str) -> bytes:
        """Raises ValueError where it was changed or belongs to another row."""
        try:
            return bytes(self._captures.decrypt(sealed, bound_to.encode()))
        except nacl.exceptions.CryptoError:
            raise ValueError("this was sealed for something else, or was changed") from None

    def hash_token(self, token: str) -> bytes:
        """The 32-byte keyed hash under which a random credential is stored and found."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(token.encode("utf-8", "surrogatepass"))
        outer.update(inner.digest())
        return outer.digest()

    def csrf_token(self, session_hash: bytes) -> str:
        return hmac.new(self._csrf, session_hash, "sha256").hexdigest()

    def verifier(self) -> bytes:
        """A sealed constant; stored at first start to recognise a wrong master key later."""
        return self.seal(_VERIFIER.decode(), "instance")

    def fits(self, verifier: bytes) -> bool:
        try:
            return self.unseal(verifier, "instance").reveal() == _VERIFIER.decode()
        except ValueError:
            return False


def provider_key_binding(key_id: str, origin: str) -> str:
    """What a provider secret is sealed to: its row and the one origin it may be sent to."""
    return f"provider_keys:{key_id}:{origin}"


def proxy_binding(endpoint_id: str) -> str:
    """What an outbound proxy's URL is sealed to: the endpoint that uses it."""
    return f"endpoints:{endpoint_id}:proxy"


def mask(secret: str) -> str:
    """The first and last four characters, where enough stays hidden between them."""
    return f"{secret[:4]}…{secret[-4:]}" if len(secret) >= 16 else "…" + secret[-2:] if secret else ""


def fingerprint(secret: str) -> str:
    """12 characters to tell two secrets apart without showing either."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def same(a: str, b: str) -> bool:
    """Compare two secrets without telling by time where they differ."""
    return hmac.compare_digest(a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass"))


def hash_password(password: str) -> str:
    """argon2id, 64 MiB, about 64 ms: call it in the password thread, never in the event loop."""
    return nacl.pwhash.argon2id.str(
        password.encode(),
        opslimit=nacl.pwhash.argon2id.OPSLIMIT_INTERACTIVE,
        memlimit=nacl.pwhash.argon2id.MEMLIMIT_INTERACTIVE,
    ).decode()


def verify_password(stored: str, password: str) -> bool:
    try:
        return nacl.pwhash.verify(stored.encode(), password.encode("utf-8", "surrogatepass"))
    except nacl.exceptions.InvalidkeyError:
        return False


def create_master_key(path: Path) -> bytes:
    """Make a new master key file, 0600. Raises FileExistsError rather than replace one."""
    key = nacl.utils.random(MASTER_KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def read_master_key(path: Path) -> bytes:
    """Read 64 hexadecimal digits. Raises ConfigurationFault naming the file and the mend."""
    try:
        status = path.stat()
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationFault([f"master key {path}: cannot be read ({error})"]) from None
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigurationFault([f"master key {path}: others can read it; run: chmod 600 {path}"])
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationFault([f"master key {path}: belongs to another user"])
    with contextlib.suppress(ValueError):
        if len(key := bytes.fromhex(text)) == MASTER_KEY_BYTES:
            return key
    raise ConfigurationFault([f"master key {path}: must be 64 hexadecimal digits"])


def new_token(prefix: str) -> str:
    """A credential of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def _subkey(master: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(b"", key=master, person=purpose, digest_size=32).digest()
