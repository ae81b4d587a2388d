"""Passwords: which are good enough, and hashing them in a thread of their own.

A hash takes 64 ms and 64 MiB, so one thread does them all, one after another.
"""

from __future__ import annotations

import asyncio
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from gateway.errors import InvalidFields, RateLimited
from gateway.vault import hash_password, verify_password

SHORTEST = 12
LONGEST = 256
QUEUE = 20

# One for the process, however many desks are open in it: what they protect is the memory of the machine.
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="password")
_PLACES = threading.BoundedSemaphore(1 + QUEUE)

# The hash of 256 random bits that nobody kept: an unknown user costs as much time as a known one.
_NOBODY = "$argon2id$v=19$m=65536,t=2,p=1$7dh03wY80En9T7Hgo4/0+w$/n1Drb7UwNbK4wLnYpBkwbBP1mLLa7/qcZSJ4YRKFxg"

_STEMS = frozenset(
    """
    000000000000 111111111111 112233445566 121212121212 123123123123 123321123321 1234512345123
    123456123456 1234567890 12345678901 123456789012 1234567890123 12345678901234 123456789012345
    1234567890123456 0123456789 01234567890 012345678901 098765432109 987654321098 147258369147
    123654789123 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 q1w2e3r4 q1w2e3r4t5
    q1w2e3r4t5y6 qazwsx qazwsxedc qazwsxedcrfv abc abcd abcdef abcdefgh abcdefghijkl abcdefghijklm
    abcabcabcabc access admin adminadmin adminadminadmin administrator asdfghjkl asdfasdfasdf
    asdfghjklzxcvbnm baseball basketball batman butterfly changeit changeme changemeplease charlie
    chocolate computer correcthorsebatterystaple default dragon flower football freedom gateway guest
    hello hellohello helloworld iamgroot iloveyou iloveyousomuch internet jennifer jordan killer letmein
    letmeinnow letmeinplease liverpool login loveme lovelove master michael michelle monkey mustang
    mypassword mynameis newpassword nothing ninja operator p4ssword p4ssw0rd pa55word pa55w0rd passw0rd
    passwd password passwordpassword passphrase pokemon princess qwerty qwertyqwerty qwertyuiop
    qwertyuiopasdf qwertyuiopasdfghjkl qwertzuiop root rootroot secret secretsecret shadow starwars
    summer sunshine superman supersecret superuser temporary test testtest testtesttest testing trustno
    thisisapassword trustnoone unknown user username welcome welcomehome welcomewelcome whatever winter
    zaq1zaq1 zaq12wsx zxcvbnm zxcvbnmasdfghjkl spring autumn january february november december
    """.split()  # noqa: SIM905  # a page of words reads better without quotes
)


def require_good(password: str, username: str) -> None:
    """Raises InvalidFields naming `password` where it is too short, too common or the user's own name."""
    fault = _fault(password, username)
    if fault:
        raise InvalidFields({"password": fault})


async def hash_new(password: str) -> str:
    """The hash to store. Waits its turn: only people who proved who they are get this far."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, hash_password, password)


async def matches(stored: str | None, password: str) -> bool:
    """Whether `password` belongs to `stored`; None takes as long and is False.

    Raises RateLimited where QUEUE others wait already.
    """
    if not _PLACES.acquire(blocking=False):
        raise RateLimited("Too many people sign in at this moment; try again.", retry_after=2)
    waiting = _THREAD.submit(verify_password, stored or _NOBODY, password[: LONGEST * 4])
    waiting.add_done_callback(_give_place_back)
    return await asyncio.wrap_future(waiting) and stored is not None


def _give_place_back(_: Future[bool]) -> None:
    _PLACES.release()


def _fault(password: str, username: str) -> str | None:
    folded = password.casefold()
    if len(password) < SHORTEST:
        return f"must have at least {SHORTEST} characters"
    if len(password) > LONGEST or not _encodable(password):
        return f"must be text of at most {LONGEST} characters"
    if username and len(folded.replace(username.casefold(), "")) < SHORTEST // 2:
        return "must not be made of the user name"
    if len(set(folded)) < 5 or _stem(folded) in _STEMS or folded in _STEMS:
        return "is one of the passwords that are tried first; choose another"
    return None


def _stem(folded: str) -> str:
    """Without the digits and marks that people put around a word to make it long enough."""
    return re.sub(r"^[\d\W_]+|[\d\W_]+$", "", folded)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
