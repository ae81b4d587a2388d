"""What metering reads of answers, whatever their format."""

from __future__ import annotations

import pytest

from gateway.formats.metering import covering
from gateway.model.calls import Usage, UsageSource

ESTIMATED, REPORTED = UsageSource.ESTIMATED, UsageSource.REPORTED


@pytest.mark.parametrize(
    ("usage", "characters", "output"),
    [
        (Usage(10, 1, source=ESTIMATED), 401, 101),
        (Usage(10, 200, source=ESTIMATED), 401, 200),
        (Usage(10, 1, source=REPORTED), 401, 1),
        (Usage(10, 0, source=ESTIMATED), 0, 0),
    ],
)
def test_an_estimate_covers_the_text_that_came(usage: Usage, characters: int, output: int) -> None:
    assert covering(usage, characters) == Usage(10, output, source=usage.source)
