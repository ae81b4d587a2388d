"""Slows down guessing at passwords: per account and per client address, across restarts."""

from __future__ import annotations

import ipaddress

from gateway.control.desk import Desk
from gateway.errors import RateLimited
from gateway.store import login_failures
from gateway.store.database import Tx
from gateway.store.login_failures import LoginFailures
from gateway.vault import fingerprint

FREE_FAILURES = 5
LONGEST_MS = 15 * 60 * 1000
FORGOTTEN_MS = 24 * 60 * 60 * 1000


async def admit(desk: Desk, username: str, ip: str) -> None:
    """Count an attempt before it is tried, so that many at once do not all get through.

    Raises RateLimited with the seconds to wait; then nothing was counted. Whoever turns out to be right calls
    `forgive` in the transaction that lets them in.
    """
    now = desk.clock.wall_ms()
    async with desk.db.write() as tx:
        await login_failures.delete_older(tx, now - FORGOTTEN_MS)
        known = {subject: await login_failures.of_subject(tx, subject) for subject in _subjects(username, ip)}
        wait_ms = max((found.blocked_until - now for found in known.values() if found), default=0)
        if wait_ms > 0:
            raise RateLimited(
                "Too many failed attempts; wait before you try again.",
                code="too_many_attempts",
                retry_after=wait_ms / 1000,
            )
        for subject, found in known.items():
            failures = (found.failures if found else 0) + 1
            await login_failures.put(tx, LoginFailures(subject, failures, now + delay_ms(failures), now))


async def forgive(tx: Tx, username: str, ip: str) -> None:
    """The password was right: the account starts afresh, and the address loses the count of this attempt.

    Not more than that, or an attacker with an account of their own could guess at others for ever.
    """
    account, *address = _subjects(username, ip)
    await login_failures.forgive(tx, account)
    for subject in address:
        await login_failures.take_one_back(tx, subject)


def delay_ms(failures: int) -> int:
    """Milliseconds to wait after so many failures in a row: none, then 1 s doubling to LONGEST_MS."""
    if failures < FREE_FAILURES:
        return 0
    return int(min(LONGEST_MS, 1000 * 2 ** min(failures - FREE_FAILURES, 20)))


def _subjects(username: str, ip: str) -> list[str]:
    """The account, and the address unless it is this machine.

    The account goes by a fingerprint: people type their password into the wrong field.
    """
    subjects = [f"account:{fingerprint(username)}"]
    network = _network(ip)
    if network:
        subjects.append(f"address:{network}")
    return subjects


def _network(ip: str) -> str:
    """What one client can change freely counts as one: the /64 of IPv6. Empty for this machine."""
    try:
        address = ipaddress.ip_address(ip.split("%")[0])
    except ValueError:
        return ip[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return "" if address.is_loopback else str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return "" if address.is_loopback else str(address)
