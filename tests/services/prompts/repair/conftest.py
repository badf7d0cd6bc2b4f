"""What the tests of repairs share."""

import pytest

from llm_api.services.prompts.optimizer import PromptOptimizer
from tests.services.calls import ListSink
from tests.services.prompts.asking import optimizer_of
from tests.support.upstream import ScriptedUpstream


@pytest.fixture
def optimizer(upstream: ScriptedUpstream) -> PromptOptimizer:
    """Optimize with the scripted upstream, as with a capable model."""
    return optimizer_of(upstream, ListSink())
