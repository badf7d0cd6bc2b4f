"""Clients of scripted vendors of films, closed after the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from llm_api.runtime.deadlines import DeadlineWatcher
from tests.upstream.films.film_asker import FilmAsker

FilmAskerOf = Callable[[str], FilmAsker]

# Dialect, profile and model, by a short name.
MODELS = {
    "ark 1.0": ("ark", "volcengine-ark", "doubao-seedance-1-0-pro-250528"),
    "ark 1.0 i2v": ("ark", "volcengine-ark", "doubao-seedance-1-0-lite-i2v-250428"),
    "ark 1.5": ("ark", "volcengine-ark", "doubao-seedance-1-5-pro-251215"),
    "ark": ("ark", "volcengine-ark", "doubao-seedance-2-0-260128"),
    "ark 2.0 fast": ("ark", "volcengine-ark", "doubao-seedance-2-0-fast-260128"),
    "ark 2.5": ("ark", "volcengine-ark", "doubao-seedance-2-5-260601"),
    "ark endpoint": ("ark", "volcengine-ark", "ep-20260101000000-abcde"),
    "wan": ("dashscope", "dashscope", "wan2.6-t2v"),
    "wan i2v": ("dashscope", "dashscope", "wan2.6-i2v"),
    "wan r2v": ("dashscope", "dashscope", "wan2.6-r2v"),
    "wan kf2v": ("dashscope", "dashscope", "wan2.2-kf2v-flash"),
    "wan2.2": ("dashscope", "dashscope", "wan2.2-t2v-plus"),
    "wan2.5": ("dashscope", "dashscope", "wan2.5-t2v-preview"),
    "wan2.7": ("dashscope", "dashscope", "wan2.7-t2v"),
    "wan2.7 i2v": ("dashscope", "dashscope", "wan2.7-i2v"),
    "wan2.7 r2v": ("dashscope", "dashscope", "wan2.7-r2v"),
    "wan3.0": ("dashscope", "dashscope", "wan3.0-video-prime"),
    "zhipu": ("zhipu", "zhipu", "cogvideox-3"),
    "siliconflow": ("siliconflow", "siliconflow", "Wan-AI/Wan2.2-T2V-A14B"),
    "siliconflow i2v": ("siliconflow", "siliconflow", "Wan-AI/Wan2.2-I2V-A14B"),
    "vllm-omni": ("vllm-omni", "vllm-omni", "Wan-AI/Wan2.2-TI2V-5B-Diffusers"),
    "sglang": ("sglang", "sglang", "Wan-AI/Wan2.2-TI2V-5B-Diffusers"),
}


@pytest.fixture
def film_asker(watch: DeadlineWatcher) -> Iterator[FilmAskerOf]:
    """Make clients by the short names of models."""
    with ExitStack() as stack:

        def build(name: str) -> FilmAsker:
            return stack.enter_context(FilmAsker(*MODELS[name], watch))

        yield build
