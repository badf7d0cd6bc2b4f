"""Settings of stores: the database, its replica, and what is removed from it."""

from llm_api.settings import setting_types as types
from llm_api.settings.setting_types import Section, Setting
from llm_api.settings.store_types import SHARED_STORE, USAGE_STORE

_POSTGRESQL = ("postgresql", "postgresql+psycopg")
_MYSQL = ("mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql")

STORES_SECTION = Section(
    "Stores",
    (
        Setting(
            "INSTANCE_DIR",
            types.FOLDER,
            "The folder into which the service writes: a SQLite database, the spool of usage"
            " rows, pictures, films, lists of models.",
            "An absolute path, or one below the project's folder. It must be on a local disk"
            " that outlives restarts; nothing is written elsewhere, so that all else may be"
            " read-only.",
            default="instance",
        ),
        Setting(
            "DATABASE_URL",
            types.store_url("sqlite", *_POSTGRESQL, *_MYSQL),
            "The database of usage rows, API keys and budgets.",
            "Empty: a SQLite file, llm_api.db in INSTANCE_DIR. MySQL (from 8.0.17) and MariaDB"
            " (from 10.5): the user needs all privileges on the database.",
            example="DATABASE_URL=postgresql://user:password@host/name\n"
            "DATABASE_URL=mysql://user:password@host/name",
        ),
        Setting(
            "REPORTS_DATABASE_URL",
            types.store_url(*_POSTGRESQL),
            "A read replica of a DATABASE_URL that is PostgreSQL, from which usage reports, single"
            " calls and the audit are read.",
            "Empty: none. What calls depend on is always read from DATABASE_URL, and so are reports"
            " while the replica is away. Its user needs no more than SELECT.",
            example="DATABASE_URL=postgresql://user:password@primary/name\n"
            "REPORTS_DATABASE_URL=postgresql://reader:password@replica/name",
        ),
        Setting(
            "REFUSE_UNRECORDED_CALLS",
            types.BOOLEAN,
            "Whether calls are refused while usage rows can be written nowhere, for example"
            " when the disk is full.",
            "true: with 503. false: calls are made, and their rows are in the log only. /readyz"
            " reports it either way.",
            default="false",
        ),
        Setting(
            "USAGE_STORE",
            USAGE_STORE,
            "Another store for usage rows: ClickHouse, or package.module:function.",
            "Empty: SQL. docs/usage-and-cost.md has ClickHouse, examples/README.md a function.",
            example="USAGE_STORE=clickhouse://user:password@host:8123/database",
        ),
        Setting(
            "USAGE_RETENTION_DAYS",
            types.whole(0, 36_500),
            "Days after which usage rows and lineages are removed; the sums by hour and day stay.",
            "0: never. Where usage rows are in partitions by months, a month is dropped as a whole"
            " when all of it is so old.",
            default="0",
        ),
        Setting(
            "AUDIT_RETENTION_DAYS",
            types.whole(0, 36_500),
            "Days after which the acts of administrators are removed from the audit.",
            "0: never.",
            default="0",
        ),
        Setting(
            "RATELIMIT_STORAGE_URI",
            SHARED_STORE,
            "Where limits are counted, and answers and keys are shared between workers.",
            "memory:// counts in each worker for itself, and shares nothing. Clusters and"
            " sentinels: docs/scaling.md.",
            default="memory://",
            example="RATELIMIT_STORAGE_URI=redis://host:6379/0\n"
            "RATELIMIT_STORAGE_URI=redis+cluster://host:6379,host:6379\n"
            "RATELIMIT_STORAGE_URI=redis+sentinel://host:26379,host:26379/service",
        ),
    ),
)
