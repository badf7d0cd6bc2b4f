"""The protocols of vendors of pictures, by the names that `config/images/` has for them.

Only those of configured vendors are loaded: all of them take half a MiB of every worker.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import cast

from llm_api.upstream.media.image_profiles import ImageModel
from llm_api.upstream.media.vendor_protocol import VendorProtocol

# The module and the class of each.
_PROTOCOLS: Mapping[str, tuple[str, str]] = {
    "a1111": ("a1111", "A1111"),
    "ark": ("ark", "Ark"),
    "dashscope-flat": ("dashscope_flat", "DashScopeFlat"),
    "dashscope-messages": ("dashscope_messages", "DashScopeMessages"),
    "dashscope-task-messages": ("dashscope_tasks", "DashScopeTaskMessages"),
    "dashscope-tasks": ("dashscope_tasks", "DashScopeTasks"),
    "openai": ("openai", "OpenAI"),
    "siliconflow": ("siliconflow", "SiliconFlow"),
    "zhipu": ("zhipu", "Zhipu"),
}
NAMES = tuple(sorted(_PROTOCOLS))


def wire_words(protocol: str) -> frozenset[str]:
    """Return what the `wire` of a model may say; nothing of a protocol that is not known."""
    if protocol not in _PROTOCOLS:
        return frozenset()
    return cast("frozenset[str]", _module(protocol).WIRE_WORDS)


def protocol_of(model: ImageModel) -> VendorProtocol:
    """Return what speaks with a model."""
    name = _PROTOCOLS[model.protocol][1]
    new = cast("Callable[[ImageModel], VendorProtocol]", getattr(_module(model.protocol), name))
    return new(model)


def _module(protocol: str) -> ModuleType:
    return import_module(f"{__name__}.{_PROTOCOLS[protocol][0]}")
