"""Capabilities with a meaning of their own. Any other word is compatible: it may be there without being asked for."""

from __future__ import annotations

TOOLS = "tools"
VISION = "vision"
JSON_SCHEMA = "json_schema"
CACHE_1H = "cache_1h"
CONTEXT_1M = "context_1m"

EXCLUSIVE = frozenset({CACHE_1H})
"""A key with one of these serves only calls that ask for it."""

OF_MODELS = frozenset({TOOLS, VISION, JSON_SCHEMA})
"""What a model can or cannot do. Where nobody said what it can do, none of them stops a call."""

LONG_CONTEXT_TOKENS = 1_000_000
"""What `context_1m` says."""
