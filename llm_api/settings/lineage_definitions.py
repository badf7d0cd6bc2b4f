"""The settings of lineages: what is kept of prompts, and what they are compared with."""

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting

LINEAGE_SECTION = Section(
    "Lineages: from a prompt to what people say of its pictures",
    (
        Setting(
            "LINEAGE_TEXTS",
            types.BOOLEAN,
            "Whether lineages keep prompts, rewrites, edited prompts and what judges wrote.",
            "false: they keep facts alone, such as models, outcomes, scores and costs. true: texts"
            " are kept for FILES_RETENTION_DAYS.",
            default="false",
        ),
        Setting(
            "OPTIMIZER_CONTROL_SHARE",
            types.SHARE,
            "The share of lineages that keep their original prompt, to compare rewriting with.",
            "Drawn by a hash of the lineage's id: the same lineage always has the same lot. Their"
            " answers say so, and no model is called. 0: none.",
            default="0",
        ),
    ),
)
