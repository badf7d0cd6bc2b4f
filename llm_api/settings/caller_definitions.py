"""The settings of what callers may send, and what becomes of it."""

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting

CALLERS_SECTION = Section(
    "What callers may send",
    (
        Setting(
            "REFUSE_UNKNOWN_PARAMETERS",
            types.BOOLEAN,
            "Whether a field under /v1 that no vendor takes is refused.",
            "false: it is dropped and named in the header x-dropped-params of the answer.",
            default="false",
        ),
        Setting(
            "PASS_UNKNOWN_PARAMETERS",
            types.BOOLEAN,
            "Whether a vendor is also sent fields that its profile does not list.",
            "false: they are dropped and named in the header x-dropped-params of the answer. A"
            " model's entry in config/models.toml can name some as parameters.",
            default="false",
        ),
        Setting(
            "ANSWER_CACHE_MAX_SECONDS",
            types.whole(0, 31_536_000),
            "The longest that an answer is kept for callers who ask for that with the header"
            " X-Cache-TTL.",
            "0: such requests are answered by the model, like all others.",
            default="86400",
        ),
        Setting(
            "PASS_PICTURE_ADDRESSES",
            types.BOOLEAN,
            "Whether chats with an upstream in your own network may name pictures by address.",
            "false: pictures must be in the request there, since whatever fetches an address"
            " does so from inside of the network; so must files, and a tool of type mcp is left"
            " out. true: for a gateway that passes addresses on to a vendor. A profile with"
            " fetches_pictures refuses them in any case.",
            default="false",
        ),
        Setting(
            "CATALOGUE_ONLY",
            types.BOOLEAN,
            "Whether only models of the catalogue, config/models.toml, can be named and are"
            " listed.",
            "false: GET /v1/models also lists what upstreams list, and any other name is passed"
            " to the upstream that lists it, else to the fast one, unchanged.",
            default="false",
        ),
    ),
)
