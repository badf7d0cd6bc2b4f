"""Where the texts of settings come from: the environment, `.env`, `backend/.env`, secret files.

The first that has a value wins, and an empty value counts as none. Wherever a setting may be a
secret, NAME_FILE can stand in place of NAME: the file has its text.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from llm_api.runtime import installation
from llm_api.settings import held_files
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.setting_types import listed
from llm_api.settings.upstream_definitions import upstream_settings

CONFIG = Path("config")
_FILE = "_FILE"
_ENV_FILES = ("backend/.env", ".env")  # the stronger one last
_PATTERNS = ("*.toml", "*.txt")
_MOST_BYTES = 64 << 10  # of a secret: a hundred API keys have 10 kB
_Read = Callable[[Path], bytes]


def gathered(environ: Mapping[str, str] | None, root: Path) -> tuple[dict[str, str], list[str]]:
    """Put the sources together; return the texts by name, and a sentence for each problem.

    Args:
        environ: the strongest source; None: the process's variables.
        root: the folder of the other sources; names of secret files are relative to it.
    """
    sources, problems = _sources(environ, root, partial(held_files.read, may_wait=True))
    secrets = _secrets(sources)
    texts = _merged(sources, secrets)
    problems += _empty(sources) + _doubled(sources, secrets)
    for name in secrets:
        path = texts.pop(name + _FILE, None)
        if path is not None and name not in texts:
            try:
                texts[name] = _secret(root, path)
            except ValueError as error:
                problems.append(f"{name}{_FILE} {error}")
    return texts, problems


def config_root(root: Path) -> Path:
    """Return the folder whose `config/` is read: `root` if it has one, else the installation's."""
    files = held_files.held()
    if files is None:
        return installation.config_root(root)
    has_own = any(path.is_relative_to(root / CONFIG) for path in files)
    return root if has_own else installation.PROJECT_ROOT


def files_of(environ: Mapping[str, str] | None, root: Path) -> dict[Path, bytes]:
    """Read every file of the configuration below `root`, and the secret files that it names.

    Those that cannot be read are left out: whoever needs one will say that it is missing.
    """
    files: dict[Path, bytes] = {}

    def read(path: Path, *, may_wait: bool = False) -> bytes:
        files[path] = held_files.from_disk(path, may_wait=may_wait)
        return files[path]

    sources, _ = _sources(environ, root, partial(read, may_wait=True))
    secrets = _secrets(sources)
    texts = _merged(sources, secrets)
    paths = [
        path
        for pattern in _PATTERNS
        for path in (installation.config_root(root) / CONFIG).rglob(pattern)
    ]
    paths += [root / texts[name + _FILE] for name in secrets if name + _FILE in texts]
    for path in paths:
        with suppress(OSError, ValueError):  # the latter for a path with a NUL
            read(path)
    return files


def _sources(
    environ: Mapping[str, str] | None, root: Path, read: _Read
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the texts of each source, the strongest last, and what is wrong with them."""
    sources: list[dict[str, str]] = []
    problems: list[str] = []
    for name in _ENV_FILES:
        try:
            values = dotenv_values(stream=StringIO(_text_of(root / name, read)), interpolate=False)
        except (UnicodeDecodeError, OSError):
            problems.append(f"{name} must be a readable text file in UTF-8.")
            continue
        sources.append({key: text.strip() for key, text in values.items() if text is not None})
    given = os.environ if environ is None else environ
    return [*sources, {name: text.strip() for name, text in given.items()}], problems


def _text_of(path: Path, read: _Read) -> str:
    try:
        return read(path).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _secrets(sources: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the names of the settings that may be secrets, those of further upstreams included."""
    extra = [source["EXTRA_UPSTREAMS"] for source in sources if source.get("EXTRA_UPSTREAMS")]
    upstreams = [name.upper() for name in listed(extra[-1])] if extra else []
    further = (setting for name in upstreams for setting in upstream_settings(name))
    return [one.name for one in (*SETTINGS.values(), *further) if one.type.is_secret]


def _merged(sources: Sequence[Mapping[str, str]], secrets: Sequence[str]) -> dict[str, str]:
    """Merge sources, the strongest last; a secret and the name of its file replace each other."""
    merged: dict[str, str] = {}
    for source in sources:
        given = {name: text for name, text in source.items() if text}
        for name in secrets:
            if name in given or name + _FILE in given:
                merged.pop(name, None)
                merged.pop(name + _FILE, None)
        merged |= given
    return merged


def _doubled(sources: Sequence[Mapping[str, str]], secrets: Sequence[str]) -> list[str]:
    return [
        f"{name} and {name}{_FILE} are both set; leave one of them out."
        for name in secrets
        if any(source.get(name) and source.get(name + _FILE) for source in sources)
    ]


def _empty(sources: Sequence[Mapping[str, str]]) -> list[str]:
    """Name empty settings that would restrict access, as they would leave it open."""
    return [
        f"{name} is set and empty; leave it out, or set it."
        for setting in SETTINGS.values()
        if setting.refuses_empty
        for name in (setting.name, setting.name + _FILE)
        if any(not source.get(name, name) for source in sources)
    ]


def _secret(root: Path, path: str) -> str:
    """Read a secret from a file; raises ValueError, whose sentence has neither path nor content."""
    try:
        content = held_files.read(root / path)
    except held_files.FileTooLargeError:
        content = b" " * (_MOST_BYTES + 1)
    except (OSError, ValueError):  # the latter for a path with a NUL
        message = "must name a file that can be read."
        raise ValueError(message) from None
    if len(content) > _MOST_BYTES:
        message = f"must name a file of at most {_MOST_BYTES >> 10} KiB."
        raise ValueError(message)
    try:
        text = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = "\0"
    if not text.strip():
        message = "must name a file that is not empty."
        raise ValueError(message)
    if not text.isprintable():
        message = "must name a file with one line of text in UTF-8."
        raise ValueError(message)
    return text.strip()
