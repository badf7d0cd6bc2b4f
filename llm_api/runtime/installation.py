"""Where an installation has its files: a checkout in one folder, a wheel in two."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# Only in a wheel: what lies beside the package in a checkout (see `tool.hatch` in pyproject.toml).
_SHIPPED = _PACKAGE / "shipped"
_IS_WHEEL = _SHIPPED.is_dir()

# The folder that has the package: of a wheel that of all packages.
PACKAGES = _PACKAGE.parent
# Where config/, migrations/, wsgi.py and gunicorn.conf.py are. Nothing is written there.
PROJECT_ROOT = _SHIPPED if _IS_WHEEL else PACKAGES
# How a message calls the commands.
COMMAND = "llm-api" if _IS_WHEEL else "flask --app wsgi"


def home_folder() -> Path:
    """Return where .env, files of configuration of one's own, and what is written are.

    Of a checkout that is its folder. A wheel belongs to nobody: there it is the folder in which the
    process was started.
    """
    return Path.cwd() if _IS_WHEEL else PROJECT_ROOT


def config_root(root: Path) -> Path:
    """Return the folder whose `config/` is read: `root` if it has one, else the installation's.

    One's own replaces the whole of it.
    """
    return root if (root / "config").is_dir() else PROJECT_ROOT
