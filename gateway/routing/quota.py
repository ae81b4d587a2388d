"""What was spent at a provider since its quota last began anew."""

from __future__ import annotations

import msgspec

from gateway.model.registry import Provider

_DAY_MS = 24 * 3600 * 1000


class Spend(msgspec.Struct, frozen=True, gc=False):
    """`used_nano` nano-dollars since `since` (Unix ms)."""

    used_nano: int
    since: int


def current(spend: Spend, provider: Provider, wall_ms: int) -> Spend:
    """`spend` as of now: begun anew as often as the provider's reset days have passed. A clock set back changes
    nothing, so that no period begins twice."""
    length = provider.quota_reset_days * _DAY_MS
    periods = (wall_ms - spend.since) // length
    return spend if periods < 1 else Spend(0, spend.since + periods * length)


def added(spend: Spend | None, provider: Provider, nano: int, charged_at: int) -> Spend:
    """With a call's actual cost. The first call ever begins the first period; one from before it began counts there."""
    now = current(spend or Spend(0, charged_at), provider, charged_at)
    return Spend(now.used_nano + nano, now.since) if charged_at >= now.since else now


def seconds_until_reset(spend: Spend, provider: Provider, wall_ms: int) -> float:
    return (spend.since + provider.quota_reset_days * _DAY_MS - wall_ms) / 1000
