"""A name that resembles a setting is told; what an environment otherwise has is left in peace."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llm_api.settings.misspelt_names import misspelt
from llm_api.settings.settings import Settings, SettingsError
from tests.support.service import REPOSITORY_ROOT
from tests.support.tables import each

MEANT = {
    # The setting, and how it is written by mistake.
    "REQUIRE_API_KEY": "REQUIRE_API_KEYS REQUIRE_APIKEY REQUIRE_KEY REQUIRED_API_KEY REQIRE_API_KEY"
    " API_KEY_REQUIRED require_api_key REQUIRE-API-KEY LLM_API_REQUIRE_API_KEY",
    "API_KEYS": "API_KEY APIKEYS API_KEYSS",
    "ADMIN_API_KEY": "ADMIN_API_KEYS ADMIN_APIKEY",
    "ALLOW_OPEN_ACCESS": "ALLOW_OPEN_ACESS OPEN_ACCESS_ALLOW",
    "TRUSTED_PROXIES": "TRUSTED_PROXY TRUSTED_PROXYS",
    "CORS_ORIGINS": "CORS_ORIGIN CORS_ALLOWED_ORIGINS CROS_ORIGINS",
    "RATE_LIMIT": "RATE_LIMITS RATELIMIT RATE_LIMT LLM_GATEWAY_RATE_LIMIT",
    "RATELIMIT_STORAGE_URI": "RATELIMIT_STORAGE_URL RATE_LIMIT_STORAGE_URI RATELIMIT_STORAGE",
    "CATALOGUE_ONLY": "CATALOG_ONLY CATALOGUE_ONLI",
    "CIRCUIT_BREAKER": "CIRCUIT_BREAKERS CIRCUITBREAKER",
    "DATABASE_URL": "DATABSE_URL DATABASE_URI",
    "USAGE_RETENTION_DAYS": "USAGE_RETENTION_DAY USAGE_DAYS",
    "FAST_LLM_API_URL": "FAST_LLM_URL FAST_LLM_BASE_URL FASTLLM_API_URL",
    "FAST_LLM_API_KEY": "FSAT_LLM_API_KEY FAST_API_KEY",
    "JUDGE_LLM_MODEL": "JUDGE_MODEL JUDGE_LLM_MODELS",
    "EXTRA_UPSTREAMS": "EXTRA_UPSTREAM",
    "ENABLE_PROMPT_OPTIMIZATION": "ENABLE_PROMPT_OPTIMISATION",
    "WEB_CONCURRENCY": "WEB_CONCURENCY",
}
PAIRS = [(written, meant) for meant, names in MEANT.items() for written in names.split()]
# Names that nothing reads, but that only this service could.
UNKNOWN = """
REQUIRE_AUTH FAST_LLM_TIMEOUT JUDGE_LLM_VISION LOCAL_MODEL_NAME LOCAL_LLM_URL UPSTREAM_RETRIES
UPSTREAM_URL UPSTREAM_MAX_CONCURRENCY RATE_LIMIT_PER_MINUTE RATELIMIT_ENABLED USAGE_RETENTION
USAGE_STORE_URL SHUTDOWN_TIMEOUT TOKENS_PER_MIN CORS_ALLOW_HEADERS ADMIN_API_KEY_FILE ADMIN_KEY
TRUSTED_PROXIES_COUNT CLIENT_WRITE_LIMIT MAX_CALLS
"""
# What environments have: shells, containers, clouds, other programs and other vendors' keys.
ORDINARY = """
PATH HOME LANG LC_ALL SHELL TERM USER LOGNAME PWD OLDPWD SHLVL HOSTNAME TZ EDITOR TMPDIR _ COLUMNS
SSH_AUTH_SOCK XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY
http_proxy https_proxy no_proxy REQUESTS_CA_BUNDLE SSL_CERT_FILE CURL_CA_BUNDLE OPENAI_API_KEY
OPENAI_BASE_URL OPENAI_API_BASE OPENAI_MODEL ANTHROPIC_API_KEY GEMINI_API_KEY GOOGLE_API_KEY
GROQ_API_KEY DASHSCOPE_API_KEY ARK_API_KEY AZURE_OPENAI_API_KEY DEEPSEEK_API_KEY MISTRAL_API_KEY
XAI_API_KEY HF_TOKEN HF_HOME OLLAMA_HOST OLLAMA_MODELS LITELLM_MASTER_KEY LITELLM_API_KEY
LANGCHAIN_API_KEY DD_API_KEY SENTRY_DSN STRIPE_API_KEY VLLM_API_KEY LLM_API_KEY LOG_LEVEL
LOG_FORMAT LOGLEVEL DEBUG PORT HOST WORKERS THREADS TIMEOUT APP_ENV ENVIRONMENT NODE_ENV FLASK_APP
FLASK_DEBUG FLASK_RUN_PORT GUNICORN_CMD_ARGS GUNICORN_FD SERVER_SOFTWARE SECRET_KEY PYTHONPATH
PYTHONUNBUFFERED VIRTUAL_ENV CONDA_PREFIX PIP_INDEX_URL UV_CACHE_DIR PYENV_ROOT CI GITHUB_ACTIONS
GITHUB_TOKEN GITHUB_API_URL CI_JOB_TOKEN BUILD_NUMBER UPSTREAM_BRANCH UPSTREAM_REPO UPSTREAM_BUILD
UPSTREAM_HOST DATABASE_HOST DATABASE_PORT DATABASE_USER DATABASE_PASSWORD DATABASE_NAME
DATABASE_PUBLIC_URL DB_HOST DB_URL PGHOST PGPASSWORD POSTGRES_PASSWORD POSTGRES_USER
MYSQL_ROOT_PASSWORD MARIADB_DATABASE REDIS_URL REDIS_PASSWORD SQLALCHEMY_DATABASE_URI AMQP_URL
TEST_DATABASE_URL KUBERNETES_SERVICE_HOST KUBERNETES_PORT KUBERNETES_PORT_443_TCP_ADDR
FAST_LLM_SERVICE_HOST FAST_LLM_SERVICE_PORT_HTTP FAST_LLM_PORT FAST_LLM_PORT_8000_TCP
RATE_LIMIT_REDIS_SERVICE_HOST RATE_LIMIT_REDIS_PORT_6379_TCP_PROTO USAGE_STORE_SERVICE_PORT
LLM_API_SERVICE_HOST LLM_API_PORT POD_NAME POD_IP NODE_NAME AWS_REGION AWS_ACCESS_KEY_ID
AWS_SESSION_TOKEN AZURE_CLIENT_ID AZURE_CLIENT_SECRET GOOGLE_APPLICATION_CREDENTIALS CLIENT_ID
CLIENT_SECRET CLIENT_TIMEOUT FLY_APP_NAME DYNO WEBSITE_HOSTNAME WEB_MEMORY WEB_PORT
CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES LD_LIBRARY_PATH LOCAL_RANK LOCAL_WORLD_SIZE WORLD_SIZE
MASTER_ADDR OMP_NUM_THREADS TOKENIZERS_PARALLELISM MAX_JOBS MAX_TOKENS MAX_MODEL_LEN ALLOWED_HOSTS
TRUSTED_HOSTS ADMIN_EMAIL ADMIN_PASSWORD ENABLE_METRICS EXTRA_ARGS EXTRA_INDEX_URL
OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME INVOCATION_ID JOURNAL_STREAM LISTEN_FDS
NOTIFY_SOCKET COMPOSE_PROJECT_NAME API_URL API_HOST API_TOKEN MODEL MODEL_NAME BASE_URL LLM_MODEL
USAGE RATE FAST JUDGE
"""


@each(("written", "meant"), PAIRS)
def test_a_slip_is_told_with_the_setting_that_is_meant(written: str, meant: str) -> None:
    (sentence,) = misspelt([written])

    assert sentence.startswith(f"{written} is no setting")
    assert f"is {meant} meant?" in sentence


def test_a_name_that_may_be_meant_for_several_settings_is_told_with_all_of_them() -> None:
    (sentence,) = misspelt(["UPSTREAM_TIMEOUT"])

    assert sentence == (
        "UPSTREAM_TIMEOUT is no setting and has no effect; is UPSTREAM_CONNECT_TIMEOUT,"
        " UPSTREAM_TOTAL_TIMEOUT, UPSTREAM_STREAM_TIMEOUT, UPSTREAM_FIRST_BYTE_TIMEOUT or"
        " UPSTREAM_IDLE_TIMEOUT meant?"
    )


@each("name", UNKNOWN.split())
def test_a_name_that_only_we_could_read_is_told(name: str) -> None:
    (sentence,) = misspelt([name])

    assert name in sentence


def test_what_an_environment_has_is_no_mistake() -> None:
    assert misspelt(ORDINARY.split()) == []
    # Also beside upstreams that are named like vendors.
    assert misspelt(ORDINARY.split(), ["openai", "anthropic", "groq", "litellm"]) == []


def test_the_settings_themselves_are_no_mistake() -> None:
    lines = (REPOSITORY_ROOT / "config" / "example.env").read_text().splitlines()
    names = [line.partition("=")[0].removeprefix("# ") for line in lines if "=" in line]
    settings = [name for name in names if re.fullmatch("[A-Z_]+", name)]

    assert len(settings) > 30
    assert misspelt(settings) == []


def test_settings_of_an_upstream_are_known_where_it_is_named() -> None:
    names = ["BACKUP_LLM_API_URL", "BACKUP_LLM_API_KEY", "BACKUP_LLM_MODEL"]

    assert misspelt(names, ["backup"]) == []
    assert misspelt(["BACKUP_LLM_MODLE"], ["backup"]) != []
    (sentence,) = misspelt(names)
    assert "EXTRA_UPSTREAMS does not name backup" in sentence


@pytest.mark.parametrize("file", [None, ".env", "backend/.env"])
def test_the_environment_and_both_files_are_looked_through(
    file: str | None, tmp_path: Path
) -> None:
    env = {"REQUIRE_API_KEYS": "true", "RATE_LIMITS": ""}
    if file is not None:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("REQUIRE_API_KEYS=true\n")
        env = {}

    (sentence,) = Settings.from_env(env, root=tmp_path).warnings

    assert "REQUIRE_API_KEY meant?" in sentence


def test_a_sentence_shows_no_value(tmp_path: Path) -> None:
    env = {"ADMIN_API_KEYS": "hunter2", "FAST_LLM_KEYS": "hunter3", "BACKUP_LLM_API_URL": "hunter4"}

    warnings = Settings.from_env(env, root=tmp_path).warnings

    assert len(warnings) == 3
    assert "hunter" not in "".join(warnings)


def test_where_a_setting_is_missing_the_slip_is_told_with_it(tmp_path: Path) -> None:
    env = {"FAST_LLM_URL": "https://h/v1", "FAST_LLM_MODEL": "m"}

    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, root=tmp_path)

    assert len(caught.value.problems) == 1
    assert "FAST_LLM_URL is no setting" in caught.value.message


def test_a_check_of_the_configuration_tells_it_and_passes(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "check-config"],
        cwd=REPOSITORY_ROOT,
        env={"HOME": str(tmp_path), "REQUIRE_API_KEYS": "true"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 0
    assert "REQUIRE_API_KEYS is no setting" in ended.stderr
    assert "valid" in ended.stdout
