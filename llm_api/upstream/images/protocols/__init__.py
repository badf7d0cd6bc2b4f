"""The protocols of vendors of pictures, by the names that `config/images/` has for them."""

from collections.abc import Callable, Mapping

from llm_api.upstream.images.image_profiles import ImageModel
from llm_api.upstream.images.image_protocol import ImageProtocol
from llm_api.upstream.images.protocols import (
    a1111,
    ark,
    dashscope_flat,
    dashscope_messages,
    dashscope_tasks,
    openai,
    siliconflow,
    zhipu,
)

_PROTOCOLS: Mapping[str, tuple[Callable[[ImageModel], ImageProtocol], frozenset[str]]] = {
    "a1111": (a1111.A1111, a1111.WIRE_WORDS),
    "ark": (ark.Ark, ark.WIRE_WORDS),
    "dashscope-flat": (dashscope_flat.DashScopeFlat, dashscope_flat.WIRE_WORDS),
    "dashscope-messages": (dashscope_messages.DashScopeMessages, dashscope_messages.WIRE_WORDS),
    "dashscope-task-messages": (
        dashscope_tasks.DashScopeTaskMessages,
        dashscope_tasks.WIRE_WORDS,
    ),
    "dashscope-tasks": (dashscope_tasks.DashScopeTasks, dashscope_tasks.WIRE_WORDS),
    "openai": (openai.OpenAI, openai.WIRE_WORDS),
    "siliconflow": (siliconflow.SiliconFlow, siliconflow.WIRE_WORDS),
    "zhipu": (zhipu.Zhipu, zhipu.WIRE_WORDS),
}
# What the `wire` of a model may say, by its protocol.
WIRE_WORDS: Mapping[str, frozenset[str]] = {name: words for name, (_, words) in _PROTOCOLS.items()}


def protocol_of(model: ImageModel) -> ImageProtocol:
    """Return what speaks with a model."""
    return _PROTOCOLS[model.protocol][0](model)
