"""What a worker imports: nothing that its settings do not ask for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import REPOSITORY_ROOT

UPSTREAM = {"FAST_LLM_API_URL": "http://127.0.0.1:1/v1", "FAST_LLM_MODEL": "m"}
CREATE = """
import sys
from llm_api.app import create_app
from llm_api.settings.settings import Settings
create_app(Settings.from_env())
print(*sys.modules)
"""
COMMANDS = {
    "llm_api.cli.doctor",
    "llm_api.cli.pictures",
    "llm_api.cli.keys",
    "llm_api.diagnostics",
    "alembic",
}
POSTGRESQL = {"psycopg", "sqlalchemy.dialects.postgresql"}
MYSQL = {"pymysql", "sqlalchemy.dialects.mysql"}


def imported(program: str, folder: Path, **env: str) -> set[str]:
    """Run a program in a process of its own, and return the names of the modules it has then."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY_ROOT,
        env={"DATABASE_URL": f"sqlite:///{folder / 'a.db'}", **UPSTREAM, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.split())


def test_a_worker_with_sqlite_alone_has_no_other_store(tmp_path: Path) -> None:
    modules = imported(CREATE, tmp_path)

    assert "sqlite3" in modules
    assert modules & {"redis", "obstore", "opentelemetry", *POSTGRESQL, *MYSQL} == set()


VENDORS = "llm_api.upstream.media.protocols."
PICTURES = {
    "IMAGE_LLM_API_URL": "http://127.0.0.1:1/v1",
    "IMAGE_LLM_API_KEY": "k",
    "IMAGE_LLM_MODEL": "gpt-image-2",
    "IMAGE_LLM_PROFILE": "openai",
}


FILMS = {
    "VIDEO_LLM_API_URL": "http://127.0.0.1:1/v1",
    "VIDEO_LLM_API_KEY": "k",
    "VIDEO_LLM_MODEL": "doubao-seedance-2-0-260128",
    "VIDEO_LLM_PROFILE": "volcengine-ark",
}


def test_a_worker_has_the_protocols_of_vendors_only_where_it_makes_pictures_or_films(
    tmp_path: Path,
) -> None:
    def protocols(**env: str) -> set[str]:
        return {name for name in imported(CREATE, tmp_path, **env) if name.startswith(VENDORS)}

    of_pictures = {f"{VENDORS}{name}" for name in ("openai", "ark", "zhipu")}
    of_films = {f"{VENDORS}films.{name}_films" for name in ("ark", "siliconflow", "zhipu")}
    assert protocols() & (of_pictures | of_films) == set()
    assert protocols(**PICTURES, **FILMS) & (of_pictures | of_films) == {
        f"{VENDORS}openai",
        f"{VENDORS}films.ark_films",
    }


VOCABULARY = """
from llm_api.services.prompts.enrichment.facets import all_facets
from llm_api.services.prompts.vocabulary import words
print(f"read: {words.phrases_by_pair.cache_info().currsize}, {all_facets.cache_info().currsize}")
"""


def test_a_worker_reads_the_vocabulary_with_the_first_prompt(tmp_path: Path) -> None:
    """It takes 4 MiB, and what prompts are rewritten with half a MiB."""
    assert {"read:", "0,", "0"} <= imported(CREATE + VOCABULARY, tmp_path)


def test_a_worker_has_no_commands(tmp_path: Path) -> None:
    modules = imported(CREATE, tmp_path)

    assert "llm_api.cli.commands" in modules
    assert modules & COMMANDS == set()


def test_a_worker_has_no_decoders_of_pictures(tmp_path: Path) -> None:
    """They are a picture process's: 10 MiB, and C code that reads what anybody sends."""
    assert "PIL" not in imported(CREATE, tmp_path)


LATE = """
from llm_api.runtime.late_imports import LATE, import_late
import_late()
"""
LOADED = """
import json_repair, limits.aio.storage
print("loaded:", *(name for name in LATE if type(sys.modules.get(name)) is type(sys)))
print(limits.aio.storage is sys.modules["limits.aio.storage"], json_repair.loads("{a: 1}")["a"])
print(type(sys.modules["json_repair"]) is type(sys), json_repair.__spec__.loader.__class__.__name__)
"""


def test_a_worker_loads_libraries_with_their_first_use(tmp_path: Path) -> None:
    """They take 3 MiB; a part of a library comes after its whole, and once."""
    program = LATE + CREATE.replace("print(*sys.modules)", "") + LOADED

    assert imported(program, tmp_path) == {"loaded:", "limits.aio", "True", "1", "SourceFileLoader"}


SLOW_MODULE = """
import time
import slow_module
early = 1
time.sleep(0.3)
late = early + slow_module.early
"""
TWO_THREADS = """
import sys, threading
from llm_api.runtime.late_imports import import_late
import_late(frozenset({"slow_module"}))
sys.path.insert(0, sys.argv[1])
import slow_module
failed = []
def use():
    try:
        assert slow_module.late == 2
    except BaseException as error:
        failed.append(type(error).__name__)
threads = [threading.Thread(target=use) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
left = [name for name in vars(slow_module) if "__late_" in name]
print("failed:", *failed, *left, type(slow_module).__name__)
"""


def test_threads_that_first_use_a_library_at_once_all_see_the_whole_of_it(tmp_path: Path) -> None:
    (tmp_path / "slow_module.py").write_text(SLOW_MODULE)
    program = TWO_THREADS.replace("sys.argv[1]", repr(str(tmp_path)))

    assert imported(program, tmp_path) == {"failed:", "module"}


FAILING = """
import sys
from llm_api.runtime.late_imports import import_late
import_late(frozenset({"failing"}))
sys.path.insert(0, PLACE)
import failing
for _ in range(2):
    try:
        failing.value
    except ZeroDivisionError:
        print("failed")
"""


def test_a_library_that_fails_to_load_fails_with_each_use(tmp_path: Path) -> None:
    """Half of it is not taken for the whole."""
    (tmp_path / "failing.py").write_text("early = 1\n1 / 0\nvalue = 2\n")

    ran = imported(FAILING.replace("PLACE", repr(str(tmp_path))) + "print('end')", tmp_path)

    assert ran == {"failed", "end"}


def test_gunicorn_has_its_workers_load_them_late() -> None:
    text = (REPOSITORY_ROOT / "gunicorn.conf.py").read_text()

    assert "    import_late()\n" in text.partition("def post_fork")[2].partition("\ndef ")[0]


@pytest.mark.parametrize(
    ("setting", "url", "module"),
    [
        ("RATELIMIT_STORAGE_URI", "redis://127.0.0.1:1", "redis"),
        ("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/n", "psycopg"),
        ("DATABASE_URL", "mysql://u:p@127.0.0.1:1/n", "pymysql"),
        ("FILES_URL", "s3://bucket", "obstore"),
    ],
)
def test_what_the_settings_name_is_there_before_the_first_call(
    tmp_path: Path, setting: str, url: str, module: str
) -> None:
    """An import takes up to a tenth of a second, in which no call of the worker goes on."""
    keys = {"FILES_ACCESS_KEY_ID": "AKID", "FILES_SECRET_ACCESS_KEY": "the-secret"}

    assert module in imported(CREATE, tmp_path, **keys, **{setting: url})
