"""Every setting is described once: that is what is read, and what people read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llm_api.settings import describe
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.settings import Settings, SettingsError
from tests.support.service import REPOSITORY_ROOT
from tests.support.tables import each

EXAMPLE = REPOSITORY_ROOT / "config" / "example.env"
UPSTREAMS = {
    f"{name}_LLM_{part}": text
    for name in ("FAST", "JUDGE")
    for part, text in (("API_URL", "https://host.example/v1"), ("MODEL", "m"))
}
# No value of any type but a text and a list of names.
CANARY = "\x01canary"


def settings_or_problems(env: dict[str, str], root: Path) -> object:
    """Read settings; return what is wrong with them where something is."""
    try:
        return Settings.from_env(env, root=root)
    except SettingsError as error:
        return error.problems


def test_the_example_is_written_from_the_definitions() -> None:
    assert EXAMPLE.read_text("utf-8") == describe.env_text()


def test_the_example_has_every_setting_and_no_other() -> None:
    names = re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE.read_text("utf-8"), re.MULTILINE)

    assert names == list(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_that_is_described_is_read(name: str, tmp_path: Path) -> None:
    # A bundled model needs an address for its key.
    local = {"LOCAL_MODEL_URL": "http://127.0.0.1:1/v1"} if name == "LOCAL_MODEL_KEY" else {}
    if name.startswith(("OTEL_", "TRACE_")):
        local = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    for made in ("IMAGE_LLM_", "VIDEO_LLM_"):
        if name.startswith(made):
            local = {f"{made}API_URL": "https://host.example/v1", f"{made}MODEL": "m"}
    if name == "LOCAL_JUDGE_KEY":  # nor is a judge's key of any use without its files
        (tmp_path / "a.gguf").write_bytes(b"GGUF")
        local = {"LOCAL_JUDGE_URL": "http://127.0.0.1:1/v1", "JUDGE_LLM_API_URL": ""}
        local |= {"JUDGE_LLM_MODEL": ""}
        local |= dict.fromkeys(("LOCAL_JUDGE_MODEL", "LOCAL_JUDGE_PROJECTOR"), "a.gguf")
    if name == "ALERT_WEBHOOK_URLS":  # what is sent there is signed
        local = {"WEBHOOK_SECRET": f"whsec_{'A' * 32}"}
    plain = settings_or_problems({**UPSTREAMS, **local}, tmp_path)
    changed = settings_or_problems({**UPSTREAMS, **local, name: CANARY}, tmp_path)

    assert changed != plain
    if isinstance(changed, list):
        assert changed[0].startswith(f"{name} must be ")
        assert "canary" not in changed[0]


def test_a_setting_that_is_not_described_cannot_be_read() -> None:
    code = "from llm_api.settings.reader import SettingsReader; SettingsReader({}).value('NEW')"

    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY_ROOT, stderr=-1, check=False)

    assert b"KeyError: 'NEW'" in done.stderr


@each("name", SETTINGS)
def test_a_description_is_one_sentence(name: str) -> None:
    setting = SETTINGS[name]

    assert re.fullmatch(r"[A-Z](?:(?!\. [A-Z]).)*\.", setting.description)
    assert setting.details == "" or setting.details.endswith(".")


def test_the_documentation_has_an_entry_for_each_setting() -> None:
    command = [sys.executable, "-m", "llm_api.settings.describe"]

    done = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)

    assert re.findall(r"^### `(\w+)`$", done.stdout, re.MULTILINE) == list(SETTINGS)
    assert done.stdout.count("\nType: ") == len(SETTINGS)
