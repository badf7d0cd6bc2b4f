"""The settings of kept rewrites, which answer the same request with the same words."""

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting, SettingType

_STORES = ("off", "memory", "redis", "sql")


def _store(text: str) -> str:
    if text not in _STORES:
        raise ValueError
    return text


_EXPECTED = f"{', '.join(_STORES[:-1])} or {_STORES[-1]}"

REWRITES_SECTION = Section(
    "Rewrites: the same request, the same words",
    (
        Setting(
            "REWRITE_STORE",
            SettingType(_EXPECTED, _EXPECTED, _store),
            "Where rewrites of prompts are kept, so that the same request of the same key gets the"
            " same words without another call.",
            "off: nowhere. memory: in each worker for itself, up to 8 MiB, and nothing on disk."
            " redis: where RATELIMIT_STORAGE_URI is. sql: in the database. With the last two all"
            " workers share them, and a rewrite can be pinned for ever. Prompts are not stored.",
            default="memory",
        ),
        Setting(
            "REWRITE_RETENTION_DAYS",
            types.whole(1, 36_500),
            "Days after which a rewrite is forgotten.",
            "One that was pinned stays until it is deleted.",
            default="30",
        ),
    ),
)
