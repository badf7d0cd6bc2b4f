"""Every setting, in one place: name, type, default and description.

The reader parses settings by these definitions, and `describe` writes `config/example.env` and the
entries of the documentation from them.
"""

from llm_api.settings import setting_types as types
from llm_api.settings.caller_definitions import CALLERS_SECTION
from llm_api.settings.command_definitions import COMMANDS_SECTION
from llm_api.settings.file_definitions import FILES_SECTION
from llm_api.settings.lineage_definitions import LINEAGE_SECTION
from llm_api.settings.rewrite_definitions import REWRITES_SECTION
from llm_api.settings.setting_types import Section, Setting
from llm_api.settings.store_definitions import STORES_SECTION
from llm_api.settings.tracing_definitions import TRACING_SECTION
from llm_api.settings.upstream_definitions import UPSTREAM_SECTIONS
from llm_api.settings.webhook_definitions import WEBHOOK_SECTION

_MANY = 1_000_000_000

SECTIONS = (
    *UPSTREAM_SECTIONS,
    STORES_SECTION,
    FILES_SECTION,
    REWRITES_SECTION,
    LINEAGE_SECTION,
    Section(
        "Access",
        (
            Setting(
                "REQUIRE_API_KEY",
                types.BOOLEAN,
                "Whether calls need an API key.",
                "`flask --app wsgi keys create NAME` creates one, and so does an admin with POST"
                " /api/v1/keys.",
                default="false",
            ),
            Setting(
                "API_KEYS",
                types.NAMED_SECRETS,
                "API keys of a small installation, as name=key pairs separated by commas.",
                "Uncomment it only to set it.",
                refuses_empty=True,
            ),
            Setting(
                "ADMIN_API_KEY",
                types.SECRET,
                "An admin's key, for /api/v1/keys and the usage of all keys.",
                "Uncomment it only to set it.",
                refuses_empty=True,
            ),
            Setting(
                "ALLOW_OPEN_ACCESS",
                types.BOOLEAN,
                "Whether to listen on an address that is not loopback although no key is required.",
                default="false",
            ),
            Setting(
                "TRUSTED_PROXIES",
                types.whole(0, 10),
                "The number of proxies in front, each of which must append the address it sees to"
                " X-Forwarded-For.",
                "0: the header is ignored. A number that is too high lets clients choose their"
                " address.",
                default="0",
            ),
            Setting(
                "CORS_ORIGINS",
                types.ORIGINS,
                "Origins whose pages may call from a browser, separated by commas, such as"
                " https://app.example.",
                "Such a page may send every header that its SDK sets. Empty: none.",
            ),
        ),
    ),
    Section(
        "Limits",
        (
            Setting(
                "RATE_LIMIT",
                types.RATE_LIMIT,
                "Requests of one key, or of one client address (IPv6: a /64 network) where no key"
                " is required, over all routes but /healthz and /readyz.",
                "Several limits are separated by a semicolon. Keys, and models in"
                " config/models.toml, can have limits of their own.",
                default="300/minute",
            ),
            Setting(
                "TOKENS_PER_MINUTE",
                types.whole(0, _MANY),
                "Tokens of one key or address: prompts and answers.",
                "An answer counts as max_tokens until its usage is known. 0: no limit.",
                default="0",
            ),
            Setting(
                "CONCURRENT_REQUESTS",
                types.whole(0, _MANY),
                "Calls of one key or address at the same time.",
                "0: no limit.",
                default="0",
            ),
            Setting(
                "CONCURRENT_STREAMS",
                types.whole(0, _MANY),
                "Streams among them.",
                "0: no limit.",
                default="0",
            ),
            Setting(
                "IMAGES_PER_MINUTE",
                types.whole(0, _MANY),
                "Pictures that one key or address may ask for in a minute.",
                "0: no limit.",
                default="0",
            ),
            Setting(
                "MAX_CALLS_IN_PROGRESS",
                types.whole(1, 1_000_000),
                "Calls that a worker answers at the same time.",
                "A tenth as many wait for up to a second; all others are refused at once with 503.",
                default="1000",
            ),
        ),
    ),
    Section(
        "Time-outs and failures of upstreams",
        (
            Setting(
                "UPSTREAM_CONNECT_TIMEOUT",
                types.SECONDS,
                "Seconds to connect to an upstream, name resolution and TLS included.",
                default="3",
            ),
            Setting(
                "UPSTREAM_TOTAL_TIMEOUT",
                types.SECONDS,
                "Seconds for a whole call, a retry included.",
                default="600",
            ),
            Setting(
                "UPSTREAM_STREAM_TIMEOUT",
                types.SECONDS,
                "Seconds for a streamed call.",
                default="1800",
            ),
            Setting(
                "UPSTREAM_FIRST_BYTE_TIMEOUT",
                types.SECONDS,
                "Seconds until the first byte of its answer.",
                "Empty: UPSTREAM_TOTAL_TIMEOUT. A model that thinks is silent for minutes, and the"
                " first byte of an answer in one piece comes when all of it is written.",
            ),
            Setting(
                "UPSTREAM_IDLE_TIMEOUT",
                types.SECONDS,
                "Seconds between two pieces of its answer.",
                "Empty: UPSTREAM_TOTAL_TIMEOUT, for the same reason.",
            ),
            Setting(
                "UPSTREAM_CONCURRENCY",
                types.whole(1, 65_536),
                "Calls in progress at one upstream, in each worker.",
                "Others wait up to a second, then get 503 overloaded.",
                default="1024",
            ),
            Setting(
                "CIRCUIT_BREAKER",
                types.BOOLEAN,
                "Whether an upstream that fails repeatedly is not called for 30 s and then probed"
                " with one call.",
                "false: every call is attempted.",
                default="true",
            ),
        ),
    ),
    CALLERS_SECTION,
    WEBHOOK_SECTION,
    TRACING_SECTION,
    Section(
        "Serving",
        (
            Setting("BIND", types.BIND, "The address to listen on.", default="127.0.0.1:8000"),
            Setting(
                "METRICS_BIND",
                types.BIND,
                "Another address, with /metrics alone and without a key, for Prometheus.",
                "Empty: only BIND has /metrics, for an admin's key. Whoever reaches the address"
                " sees which models are called, how often, and what they cost.",
                example="METRICS_BIND=127.0.0.1:9464",
            ),
            Setting(
                "CLIENT_WRITE_TIMEOUT",
                types.SECONDS,
                "Seconds in which a client must read the next 16 KiB of its answer before it is"
                " disconnected.",
                default="30",
            ),
            Setting(
                "WEB_CONCURRENCY",
                types.whole(1, 256),
                "Worker processes.",
                "One holds thousands of waiting calls; a busy service needs one for each core.",
                default="1",
            ),
            Setting(
                "LOG_FORMAT",
                types.LOG_FORMAT,
                "How log lines are written to standard error.",
                "json: an object a line. text: for people. auto: text in color where standard error"
                " is a terminal, and json elsewhere.",
                default="auto",
            ),
            Setting(
                "SHUTDOWN_GRACE",
                types.whole(1, 3_600),
                "Seconds in which calls in progress may end after SIGTERM.",
                "Two seconds before that, calls still running are answered with the error"
                " server_shutdown. Whatever stops the service should wait a little longer.",
                default="30",
            ),
            Setting(
                "SHUTDOWN_GRACE_PICTURES",
                types.whole(0, 3_600),
                "Seconds in which pictures that a vendor is making may come after SIGTERM.",
                "Where that is longer than SHUTDOWN_GRACE, only calls that may cost money go on so"
                " long: a vendor that answers with the pictures themselves, such as OpenAI, takes"
                " minutes, and what it sends later is paid and lost. Whatever stops the service"
                " should wait a little longer. 0: no longer than other calls.",
                default="0",
            ),
        ),
    ),
    COMMANDS_SECTION,
)
SETTINGS = {setting.name: setting for section in SECTIONS for setting in section.settings}
