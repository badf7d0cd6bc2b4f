"""The settings of upstreams; each upstream has the same five, prefixed by its name."""

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting

_EXAMPLE_URL = "https://host/v1"
_FOLDERS = {"IMAGE": "images", "VIDEO": "videos"}
_EXAMPLE_URLS = {
    "FAST": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "JUDGE": "https://ark.cn-beijing.volces.com/api/v3",
    "IMAGE": "https://ark.cn-beijing.volces.com/api/v3",
    "VIDEO": "https://ark.cn-beijing.volces.com/api/v3",
}


def upstream_settings(prefix: str, details: str = "", example: str = "") -> tuple[Setting, ...]:
    """Define the five settings of an upstream.

    Args:
        prefix: its name in upper case, such as `FAST`.
        details: what is special about it.
        example: lines of a `.env` file.
    """
    url = _EXAMPLE_URLS.get(prefix, _EXAMPLE_URL)
    return (
        Setting(
            f"{prefix}_LLM_API_URL",
            types.http_urls(url),
            "The base address of an OpenAI-compatible API, up to and including /v1.",
            f"{details}Several addresses, separated by commas, share the load.",
            example=example,
        ),
        Setting(
            f"{prefix}_LLM_API_KEY",
            types.UPSTREAM_KEYS,
            "Its API key.",
            "Several keys, separated by commas, share the load: all for one address, or one for"
            " each.",
            example=f"{prefix}_LLM_API_KEY=sk-first...,sk-second...",
        ),
        *_choices(prefix),
    )


def _choices(prefix: str) -> tuple[Setting, ...]:
    """Define the settings that choose model, profile and fallbacks."""
    return (
        Setting(
            f"{prefix}_LLM_MODEL",
            types.TEXT,
            f"The model for callers who name none; required with {prefix}_LLM_API_URL.",
        ),
        Setting(
            f"{prefix}_LLM_PROFILE",
            types.TEXT,
            f"The vendor profile: a file of config/{_FOLDERS.get(prefix, 'profiles')}/ without its"
            " ending.",
            "Empty: chosen by the address.",
        ),
        Setting(
            f"{prefix}_LLM_FALLBACK",
            types.NAMES,
            "Where calls go when this upstream fails before its answer begins, in order: names of"
            " upstreams or of models in config/models.toml, separated by commas.",
        ),
    )


UPSTREAM_SECTIONS = (
    Section(
        "The fast upstream: chat and prompt optimization",
        (
            *upstream_settings(
                "FAST",
                "Without one the bundled model answers, which is of demo quality. ",
                "FAST_LLM_API_URL=https://dashscope.aliyuncs.com/compatible-mode/v1\n"
                "FAST_LLM_API_KEY=sk-...\n"
                "FAST_LLM_MODEL=qwen3-next-80b-a3b-instruct",
            ),
            Setting(
                "ENABLE_PROMPT_OPTIMIZATION",
                types.BOOLEAN,
                "Whether prompts are optimized.",
                "false: /api/v1/llm/optimize-prompt answers 503.",
                default="true",
            ),
        ),
    ),
    Section(
        "The judge: a vision model",
        (
            *upstream_settings(
                "JUDGE",
                "It judges pictures (docs/judge.md); callers can also name its model in chat calls."
                " Without one pictures are measured, and cannot be compared. ",
                "JUDGE_LLM_API_URL=https://ark.cn-beijing.volces.com/api/v3\n"
                "JUDGE_LLM_API_KEY=...\n"
                "JUDGE_LLM_MODEL=doubao-seed-1-6-251015",
            ),
            Setting(
                "LOCAL_JUDGE_MODEL",
                types.TEXT,
                "The GGUF file of a vision model of your own, which is then the judge: gunicorn"
                " starts it on this machine.",
                "An absolute path, or one below the project's folder, such as"
                " models/Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf. Not with JUDGE_LLM_API_URL.",
            ),
            Setting(
                "LOCAL_JUDGE_PROJECTOR",
                types.TEXT,
                "The GGUF file of that model's vision projector (mmproj).",
            ),
        ),
    ),
    Section(
        "The image model",
        (
            *upstream_settings(
                "IMAGE",
                "Without one pictures are refused with 503, but for the layout sketch. ",
                "IMAGE_LLM_API_URL=https://ark.cn-beijing.volces.com/api/v3\n"
                "IMAGE_LLM_API_KEY=...\n"
                "IMAGE_LLM_MODEL=doubao-seedream-4-5-251128",
            ),
        ),
    ),
    Section(
        "The video model",
        (
            *upstream_settings(
                "VIDEO",
                "Without one films are refused with 503. ",
                "VIDEO_LLM_API_URL=https://ark.cn-beijing.volces.com/api/v3\n"
                "VIDEO_LLM_API_KEY=...\n"
                "VIDEO_LLM_MODEL=doubao-seedance-1-0-pro-250528",
            ),
        ),
    ),
    Section(
        "More upstreams",
        (
            Setting(
                "EXTRA_UPSTREAMS",
                types.UPSTREAM_NAMES,
                "Names of more upstreams, separated by commas.",
                "Each has the same five settings, prefixed by its name.",
                example="EXTRA_UPSTREAMS=backup\n"
                "BACKUP_LLM_API_URL=https://api.openai.com/v1\n"
                "BACKUP_LLM_API_KEY=sk-...\n"
                "BACKUP_LLM_MODEL=gpt-4.1-mini\n"
                "FAST_LLM_FALLBACK=backup",
            ),
        ),
    ),
    Section(
        "Models on this machine, started by hand",
        (
            Setting(
                "LOCAL_MODEL_URL",
                types.HTTP_URL,
                "Where a bundled model listens that `flask --app wsgi local-model` has started.",
                "It prints both settings; under gunicorn they are not needed.",
            ),
            Setting("LOCAL_MODEL_KEY", types.KEY_TEXT, "Its API key."),
            Setting(
                "LOCAL_JUDGE_URL",
                types.HTTP_URL,
                "Where the judge of LOCAL_JUDGE_MODEL listens that `flask --app wsgi local-model"
                " --judge` has started.",
                "It prints both settings; under gunicorn they are not needed.",
            ),
            Setting("LOCAL_JUDGE_KEY", types.KEY_TEXT, "Its API key."),
        ),
    ),
)
