"""What a decision looks at does not grow with what is configured around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from gateway.routing.candidates import plan_candidates
from gateway.routing.resolve import resolve
from gateway.routing.snapshot import Registry, Snapshot, build_snapshot
from gateway.routing.state import BackendState, RuntimeState
from tests.routing.build import ANYONE, FALLBACK, PRIMARY, ask, endpoint, key, mapping, model, provider, world


class Watched(Mapping[Any, Any]):
    """Remembers what was looked up, and cannot be gone through."""

    def __init__(self, inner: Mapping[Any, Any]) -> None:
        self.inner = inner
        self.looked_up: list[Any] = []

    def __getitem__(self, name: Any) -> Any:
        self.looked_up.append(name)
        return self.inner[name]

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("a decision went through everything")

    def __len__(self) -> int:
        return len(self.inner)


class WatchedStates(dict[str, BackendState]):
    def __init__(self) -> None:
        super().__init__()
        self.looked_up: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.looked_up.add(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a decision went through all states")


def large() -> Snapshot:
    """Sixty providers and thirty models, each served by two of them."""
    names = [f"p{number}" for number in range(60)]
    models = tuple(model(f"m{number}", aliases=(f"alias-{number}",)) for number in range(30))
    pairs = [(names[2 * number + more], one.id) for number, one in enumerate(models) for more in (0, 1)]
    return build_snapshot(
        Registry(
            version=1,
            providers=tuple(provider(name) for name in names),
            endpoints=tuple(endpoint(name) for name in names),
            keys=tuple(key(name) for name in names),
            pools=(PRIMARY, FALLBACK),
            models=models,
            mappings=tuple(mapping(name, code) for name, code in pairs),
            api_keys=(ANYONE,),
        )
    )


def test_a_decision_touches_only_the_lanes_of_its_model() -> None:
    for asked in ("m7", "alias-7", "p14/p14's m7"):
        whole = large()
        lanes = Watched(whole.lanes)
        closed: Mapping[Any, Any] = MappingProxyType({})
        watched = replace(
            whole,
            lanes=lanes,
            models=Watched(whole.models),
            aliases=Watched(whole.aliases),
            providers=Watched(whole.providers),
            upstream_models=Watched(whole.upstream_models),
            provider_backends=Watched(whole.provider_backends),
            backends=closed,
            rules=closed,
        )
        state = RuntimeState()
        state.backends = states = WatchedStates()

        target = resolve(watched, ANYONE, asked)
        plan = plan_candidates(target.lanes, ask(model=target.model), world(state=state))

        assert lanes.looked_up == ["m7"]
        assert {lane.backend.provider.name for lane in plan.lanes} <= {"p14", "p15"}
        assert states.looked_up <= {lane.backend.id for lane in target.lanes}
