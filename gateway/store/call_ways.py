"""The ways to the calls that a search is for: through an index of one column, of trouble, of sessions, or all in order.

Each looks at the newest `looked_at` calls between `before` and `floor` and gives the ids of `most` that match; its
`lowest_` tells where such a look ends, `skipped` being one less. The parameters are those of `call_search.search`.
"""

from __future__ import annotations

from gateway.store.database import Tx
from gateway.store.search_terms import value


async def lowest_troubled(tx: Tx, asked: dict[str, object]) -> str | None:
    """The last one that was looked at; None where there are not so many."""
    rows = await tx.execute_fetchall(
        """
        SELECT id FROM calls INDEXED BY calls_in_trouble WHERE status <> 'completed' AND id < :before AND id >= :floor
        ORDER BY id DESC LIMIT 1 OFFSET :skipped
        """,
        asked,
    )
    return value(rows)


async def lowest_indexed(tx: Tx, asked: dict[str, object]) -> str | None:
    """The last one that was looked at; None where there are not so many."""
    found = await _in_index(tx, {**asked, "most": 1})
    return found[0] if found else None


async def lowest_in_session(tx: Tx, asked: dict[str, object]) -> str | None:
    """The last one that was looked at; None where there are not so many."""
    rows = await tx.execute_fetchall(
        """
        SELECT id FROM calls INDEXED BY calls_by_agent_session
        WHERE agent_session = :session AND agent_session <> '' AND id < :before AND id >= :floor
        ORDER BY id DESC LIMIT 1 OFFSET :skipped
        """,
        asked,
    )
    return value(rows)


async def lowest_in_order(tx: Tx, asked: dict[str, object]) -> str | None:
    """The last one that was looked at; None where there are not so many."""
    rows = await tx.execute_fetchall(
        """
        SELECT id FROM calls WHERE id < :before AND id >= :floor ORDER BY id DESC LIMIT 1 OFFSET :skipped
        """,
        asked,
    )
    return value(rows)


async def troubled(tx: Tx, asked: dict[str, object]) -> tuple[str, ...]:
    """From the index that has all these columns of calls that did not complete."""
    rows = await tx.execute_fetchall(
        """
        WITH looked_at AS (
          SELECT id, status, code, error, started_at, api_key_id, api_key_name, user_id, user_name, asked_model,
                 served_model, provider_id, provider, backend_id, backend
          FROM calls INDEXED BY calls_in_trouble
          WHERE status <> 'completed' AND id < :before AND id >= :floor ORDER BY id DESC LIMIT :looked_at)
        SELECT id FROM looked_at
        WHERE (:api_key IS NULL OR api_key_id = :api_key OR api_key_name = :api_key)
          AND (:user IS NULL OR user_id = :user OR user_name = :user)
          AND (:model IS NULL OR served_model = :model OR asked_model = :model)
          AND (:provider IS NULL OR provider_id = :provider OR provider = :provider)
          AND (:backend IS NULL OR backend_id = :backend OR backend = :backend)
          AND (:status IS NULL OR status = :status)
          AND (:code IS NULL OR code = :code)
          AND (:code_class IS NULL OR code / 100 = :code_class)
          AND (:since IS NULL OR started_at >= :since)
          AND (:until IS NULL OR started_at < :until)
          AND (:text IS NULL OR error LIKE :text ESCAPE '\\')
        LIMIT :most
        """,
        asked,
    )
    return tuple(row[0] for row in rows)


async def all_indexed(tx: Tx, asked: dict[str, object]) -> tuple[str, ...]:
    """From the index of one column, where nothing else is wanted: it is in order already."""
    return await _in_index(tx, {**asked, "skipped": 0})


async def _in_index(tx: Tx, asked: dict[str, object]) -> tuple[str, ...]:
    """A limit for each of them would have SQLite put them in order again, and read rows that nobody asks for."""
    rows = await tx.execute_fetchall(
        """
        SELECT number AS of_segment, id FROM segments CROSS JOIN calls ON segment = number AND api_key_id = :subject
        WHERE :driver = 'api_key' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
        UNION ALL
        SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND user_id = :subject
        WHERE :driver = 'user' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
        UNION ALL
        SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND backend_id = :subject
        WHERE :driver = 'backend' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
        UNION ALL
        SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND served_model = :subject
        WHERE :driver = 'model' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
        UNION ALL
        SELECT number, id FROM segments CROSS JOIN calls
          ON segment = number AND asked_model = :subject AND asked_model <> served_model
        WHERE :driver = 'model' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
        UNION ALL
        SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND provider_id = :subject
        WHERE :driver = 'provider' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
        ORDER BY of_segment DESC, id DESC LIMIT :most OFFSET :skipped
        """,
        asked,
    )
    return tuple(row[1] for row in rows)


async def indexed(tx: Tx, asked: dict[str, object]) -> tuple[str, ...]:
    """From the index of one column; what else is wanted is looked up in each call. A model has two names' indexes.

    What another index knows is looked up there first: a call's row is some twenty times as long as an entry.
    """
    rows = await tx.execute_fetchall(
        """
        WITH looked_at AS (
          SELECT number AS of_segment, id FROM segments CROSS JOIN calls ON segment = number AND api_key_id = :subject
          WHERE :driver = 'api_key' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
          UNION ALL
          SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND user_id = :subject
          WHERE :driver = 'user' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
          UNION ALL
          SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND backend_id = :subject
          WHERE :driver = 'backend' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
          UNION ALL
          SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND served_model = :subject
          WHERE :driver = 'model' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
          UNION ALL
          SELECT number, id FROM segments CROSS JOIN calls
            ON segment = number AND asked_model = :subject AND asked_model <> served_model
          WHERE :driver = 'model' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
          UNION ALL
          SELECT number, id FROM segments CROSS JOIN calls ON segment = number AND provider_id = :subject
          WHERE :driver = 'provider' AND number BETWEEN :oldest AND :newest AND id < :before AND id >= :floor
          ORDER BY of_segment DESC, id DESC LIMIT :looked_at)
        SELECT id FROM looked_at
        WHERE (:also_user IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_user
            WHERE one.segment = of_segment AND one.user_id = :also_user AND one.id = looked_at.id))
          AND (:also_backend IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_backend
            WHERE one.segment = of_segment AND one.backend_id = :also_backend AND one.id = looked_at.id))
          AND (:also_provider IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_provider
            WHERE one.segment = of_segment AND one.provider_id = :also_provider AND one.id = looked_at.id))
          AND (:also_model IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_model
            WHERE one.segment = of_segment AND one.served_model = :also_model AND one.id = looked_at.id)
           OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_other_name
            WHERE one.segment = of_segment AND one.asked_model = :also_model AND one.asked_model <> one.served_model
              AND one.id = looked_at.id))
          AND (:is_in_indexes OR EXISTS (
            SELECT 1 FROM calls WHERE calls.id = looked_at.id
            AND (:api_key IS NULL OR api_key_id = :api_key OR api_key_name = :api_key)
            AND (:user IS NULL OR user_id = :user OR user_name = :user)
            AND (:model IS NULL OR served_model = :model OR asked_model = :model)
            AND (:provider IS NULL OR provider_id = :provider OR provider = :provider)
            AND (:backend IS NULL OR backend_id = :backend OR backend = :backend)
            AND (:status IS NULL OR status = :status)
            AND (:code IS NULL OR code = :code)
            AND (:code_class IS NULL OR code / 100 = :code_class)
            AND (:since IS NULL OR started_at >= :since)
            AND (:until IS NULL OR started_at < :until)
            AND (:text IS NULL OR error LIKE :text ESCAPE '\\')))
        LIMIT :most
        """,
        asked,
    )
    return tuple(row[0] for row in rows)


async def in_session(tx: Tx, asked: dict[str, object]) -> tuple[str, ...]:
    """From the index of sessions; what that does not have is looked up in each call."""
    rows = await tx.execute_fetchall(
        """
        WITH looked_at AS (
          SELECT id, segment, status, code, started_at FROM calls INDEXED BY calls_by_agent_session
          WHERE agent_session = :session AND agent_session <> '' AND id < :before AND id >= :floor
          ORDER BY id DESC LIMIT :looked_at)
        SELECT id FROM looked_at
        WHERE (:status IS NULL OR status = :status)
          AND (:code IS NULL OR code = :code)
          AND (:code_class IS NULL OR code / 100 = :code_class)
          AND (:since IS NULL OR started_at >= :since)
          AND (:until IS NULL OR started_at < :until)
          AND (:also_user IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_user
            WHERE one.segment = looked_at.segment AND one.user_id = :also_user AND one.id = looked_at.id))
          AND (:also_backend IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_backend
            WHERE one.segment = looked_at.segment AND one.backend_id = :also_backend AND one.id = looked_at.id))
          AND (:also_provider IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_provider
            WHERE one.segment = looked_at.segment AND one.provider_id = :also_provider AND one.id = looked_at.id))
          AND (:also_model IS NULL OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_model
            WHERE one.segment = looked_at.segment AND one.served_model = :also_model AND one.id = looked_at.id)
           OR EXISTS (
            SELECT 1 FROM calls AS one INDEXED BY calls_by_other_name
            WHERE one.segment = looked_at.segment AND one.asked_model = :also_model
              AND one.asked_model <> one.served_model AND one.id = looked_at.id))
          AND (:is_in_indexes OR EXISTS (
            SELECT 1 FROM calls WHERE calls.id = looked_at.id
            AND (:api_key IS NULL OR api_key_id = :api_key OR api_key_name = :api_key)
            AND (:user IS NULL OR user_id = :user OR user_name = :user)
            AND (:model IS NULL OR served_model = :model OR asked_model = :model)
            AND (:provider IS NULL OR provider_id = :provider OR provider = :provider)
            AND (:backend IS NULL OR backend_id = :backend OR backend = :backend)
            AND (:text IS NULL OR error LIKE :text ESCAPE '\\')))
        LIMIT :most
        """,
        asked,
    )
    return tuple(row[0] for row in rows)


async def in_order(tx: Tx, asked: dict[str, object]) -> tuple[str, ...]:
    """From the calls themselves."""
    rows = await tx.execute_fetchall(
        """
        WITH looked_at AS (
          SELECT id, started_at, api_key_id, api_key_name, user_id, user_name, asked_model, served_model, provider_id,
                 provider, backend_id, backend, status, code
          FROM calls WHERE id < :before AND id >= :floor ORDER BY id DESC LIMIT :looked_at)
        SELECT id FROM looked_at
        WHERE (:api_key IS NULL OR api_key_id = :api_key OR api_key_name = :api_key)
          AND (:user IS NULL OR user_id = :user OR user_name = :user)
          AND (:model IS NULL OR served_model = :model OR asked_model = :model)
          AND (:provider IS NULL OR provider_id = :provider OR provider = :provider)
          AND (:backend IS NULL OR backend_id = :backend OR backend = :backend)
          AND (:status IS NULL OR status = :status)
          AND (:code IS NULL OR code = :code)
          AND (:code_class IS NULL OR code / 100 = :code_class)
          AND (:since IS NULL OR started_at >= :since)
          AND (:until IS NULL OR started_at < :until)
        LIMIT :most
        """,
        asked,
    )
    return tuple(row[0] for row in rows)
