"""Clients of scripted vendors of pictures, closed after the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from llm_api.runtime.deadlines import DeadlineWatcher
from tests.upstream.images.picture_asker import PictureAsker

AskerOf = Callable[[str], PictureAsker]

# Dialect, profile and model, by a short name.
MODELS = {
    "ark": ("ark", "volcengine-ark", "doubao-seedream-4-5-251128"),
    "ark 3.0": ("ark", "volcengine-ark", "doubao-seedream-3-0-t2i-250415"),
    "ark 4.0": ("ark", "volcengine-ark", "doubao-seedream-4-0-250828"),
    "ark 5.0": ("ark", "volcengine-ark", "doubao-seedream-5-0-260128"),
    "ark 5.0 pro": ("ark", "volcengine-ark", "doubao-seedream-5-0-pro-260701"),
    "A": ("dashscope", "dashscope", "wan2.5-t2i-preview"),
    "A wanx": ("dashscope", "dashscope", "wanx2.1-t2i-turbo"),
    "A edit": ("dashscope", "dashscope", "wan2.5-i2i-preview"),
    "A imageedit": ("dashscope", "dashscope", "wanx2.1-imageedit"),
    "B": ("dashscope", "dashscope", "qwen-image-2.0-pro"),
    "B plus": ("dashscope", "dashscope", "qwen-image-plus"),
    "B edit": ("dashscope", "dashscope", "qwen-image-edit"),
    "B z-image": ("dashscope", "dashscope", "z-image-turbo"),
    "C": ("dashscope", "dashscope", "wan2.6-t2i"),
    "C wan2.7": ("dashscope", "dashscope", "wan2.7-image-pro"),
    "C qwen": ("dashscope", "dashscope", "qwen-image-3.0-pro"),
    "D": ("dashscope", "dashscope", "qwen-image-2.1-pro"),
    "siliconflow": ("siliconflow", "siliconflow", "Qwen/Qwen-Image"),
    "siliconflow kolors": ("siliconflow", "siliconflow", "Kwai-Kolors/Kolors"),
    "siliconflow edit": ("siliconflow", "siliconflow", "Qwen/Qwen-Image-Edit-2509"),
    "zhipu": ("zhipu", "zhipu", "cogview-4-250304"),
    "zhipu task": ("zhipu", "zhipu", "glm-image"),
}


@pytest.fixture
def picture_asker(watch: DeadlineWatcher) -> Iterator[AskerOf]:
    """Make clients by the short names of models."""
    with ExitStack() as stack:

        def build(name: str) -> PictureAsker:
            return stack.enter_context(PictureAsker(*MODELS[name], watch))

        yield build
