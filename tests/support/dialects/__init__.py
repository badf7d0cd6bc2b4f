"""How vendors of pictures speak."""

from collections.abc import Mapping

from tests.support.dialects.ark import Ark
from tests.support.dialects.dashscope import DashScope
from tests.support.dialects.local_servers import A1111, LocalAI, SdServer, SGLang, VllmOmni
from tests.support.dialects.openai import OpenAI
from tests.support.dialects.siliconflow import SiliconFlow
from tests.support.dialects.zhipu import Zhipu
from tests.support.image_scene import Dialect

DIALECTS: Mapping[str, Dialect] = {
    "openai": OpenAI(),
    "ark": Ark(),
    "dashscope": DashScope(),
    "siliconflow": SiliconFlow(),
    "zhipu": Zhipu(),
    "sd-server": SdServer(),
    "vllm-omni": VllmOmni(),
    "sglang": SGLang(),
    "localai": LocalAI(),
    "a1111": A1111(),
}
