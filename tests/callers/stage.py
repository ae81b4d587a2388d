"""A gateway between the four official clients and providers of the four formats of conversations."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.control import models
from gateway.model.calls import CallRecord
from gateway.model.registry import ApiFormat
from gateway.store import calls
from gateway.store.call_search import CallFilter
from tests.callers.chat import ChatCaller
from tests.callers.gemini import GeminiCaller
from tests.callers.got import Caller, Got
from tests.callers.messages import MessagesCaller
from tests.callers.responses import ResponsesCaller
from tests.harness import OPERATOR, RunningGateway, running_gateway
from tests.provider import Provider, scripted_provider
from tests.voices.said import Question, Said
from tests.voices.voice import VOICES

CHAT, RESPONSES = ApiFormat.OPENAI_CHAT, ApiFormat.OPENAI_RESPONSES
MESSAGES, GEMINI = ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.GEMINI_GENERATE
FOUR = (CHAT, RESPONSES, MESSAGES, GEMINI)
PAIRS = [(ours, theirs) for ours in FOUR for theirs in FOUR]
"""The client's format, and the provider's."""
PRICES = {"input_price": "1.25", "output_price": "10", "cache_read_price": "0.125"}
IDS = [f"{ours.value}-{theirs.value}" for ours, theirs in PAIRS]


@dataclass(slots=True)
class Stage:
    """The model `of(format)` is served by the provider of that format alone."""

    gateway: RunningGateway
    providers: dict[ApiFormat, Provider] = field(default_factory=dict)
    callers: dict[ApiFormat, Caller] = field(default_factory=dict)

    async def ask(self, ours: ApiFormat, theirs: ApiFormat, question: Question, said: Said, **more: Any) -> Got:
        """The client asks, and the provider says this."""
        self.providers[theirs].always = VOICES[theirs].says(said)
        return await self.callers[ours].ask(of(theirs), question, **more)

    def heard(self, theirs: ApiFormat) -> Question:
        return VOICES[theirs].heard(self.providers[theirs])

    async def row(self) -> CallRecord:
        """The newest call, as it is written down."""
        await self.gateway.app.ledger.flush()
        async with self.gateway.desk.db.read() as tx:
            (newest,) = await calls.page(tx, CallFilter(), None, 1)
            found = await calls.get(tx, newest.id)
        assert found is not None
        return found


def of(api_format: ApiFormat) -> str:
    """The public name of the model that a provider of this format has."""
    return f"via-{api_format.value.replace('_', '-')}"


@contextlib.asynccontextmanager
async def open_stage(data_dir: Path) -> AsyncIterator[Stage]:
    async with contextlib.AsyncExitStack() as opened:
        gateway = await opened.enter_async_context(running_gateway(data_dir))
        stage = Stage(gateway)
        for api_format, voice in VOICES.items():
            provider = await opened.enter_async_context(scripted_provider())
            await gateway.backend(provider, models={of(api_format): voice.upstream}, api_format=api_format.value)
            stage.providers[api_format] = provider
            await models.update(gateway.desk, OPERATOR, gateway.desk.snapshot().models[of(api_format)].id, PRICES)
        for api_format, make in _CALLERS.items():
            stage.callers[api_format] = made = make(gateway)
            opened.push_async_callback(made.close)
        yield stage


_CALLERS: dict[ApiFormat, type[ChatCaller | ResponsesCaller | MessagesCaller | GeminiCaller]] = {
    CHAT: ChatCaller,
    RESPONSES: ResponsesCaller,
    MESSAGES: MessagesCaller,
    GEMINI: GeminiCaller,
}
