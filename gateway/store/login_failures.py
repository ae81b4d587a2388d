"""How often signing in failed, per subject: an account or a client address."""

from __future__ import annotations

import msgspec

from gateway.store.database import Tx


class LoginFailures(msgspec.Struct, frozen=True):
    """`failures` in a row; nothing is tried before `blocked_until`. Times are Unix milliseconds."""

    subject: str
    failures: int
    blocked_until: int
    updated_at: int


async def of_subject(tx: Tx, subject: str) -> LoginFailures | None:
    async with tx.execute(
        "SELECT subject, failures, blocked_until, updated_at FROM login_failures WHERE subject = :subject",
        {"subject": subject},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else LoginFailures(row[0], row[1], row[2], row[3])


async def put(tx: Tx, failures: LoginFailures) -> None:
    await tx.execute(
        """
        INSERT INTO login_failures (subject, failures, blocked_until, updated_at)
        VALUES (:subject, :failures, :blocked_until, :updated_at)
        ON CONFLICT (subject) DO UPDATE
        SET failures = excluded.failures, blocked_until = excluded.blocked_until,
            updated_at = excluded.updated_at
        """,
        {
            "subject": failures.subject,
            "failures": failures.failures,
            "blocked_until": failures.blocked_until,
            "updated_at": failures.updated_at,
        },
    )


async def forgive(tx: Tx, subject: str) -> None:
    await tx.execute("DELETE FROM login_failures WHERE subject = :subject", {"subject": subject})


async def take_one_back(tx: Tx, subject: str) -> None:
    """The last attempt turned out not to be a failure."""
    await tx.execute(
        """
        UPDATE login_failures SET failures = max(0, failures - 1), blocked_until = 0
        WHERE subject = :subject
        """,
        {"subject": subject},
    )


async def delete_older(tx: Tx, before: int) -> None:
    await tx.execute("DELETE FROM login_failures WHERE updated_at < :before", {"before": before})
