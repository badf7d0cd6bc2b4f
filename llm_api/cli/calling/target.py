"""Which service a command asks: one that is named, or that of the configuration at hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from llm_api.cli.calling.api_client import ApiClient
from llm_api.cli.calling.command import Decorator, with_options
from llm_api.settings.setting_types import ENDPOINT
from llm_api.settings.settings import Settings

_MAX_KEY = 512
_EXPECTED_URL = "must be an http:// or https:// address, such as https://llm.example."


class _Url(click.ParamType[str]):
    """An address of a service; an empty one stands for none."""

    name = "url"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Check an address."""
        try:
            return ENDPOINT.parse(value) if value else ""
        except ValueError:
            self.fail(_EXPECTED_URL, param, context)


class Target:
    """A service elsewhere, or, without an address, the configuration at hand."""

    def __init__(
        self, settings: Settings, url: str | None, key: str | None, timeout: float
    ) -> None:
        """Name a service.

        Args:
            settings: what is configured here.
            url: of a service elsewhere; None for the configuration at hand.
            key: an API key for a service elsewhere; None for none.
            timeout: seconds for which a service elsewhere may be silent.
        """
        self.settings = settings
        self.url = url
        self.key = key
        self.timeout = timeout

    @contextmanager
    def client(self, *, needs_model: bool = False) -> Iterator[ApiClient]:
        """Open a client; raises CommandFailed.

        `needs_model`: whether the bundled model is started where none is configured here. The
        process may begin anew for that: nothing of standard input must be read before.
        """
        client = ApiClient(self._remote() if self.url else self._local(needs_model=needs_model))
        try:
            yield client
        finally:
            client.close()

    # What follows is imported when it is used: requests, or the whole application, which takes a
    # second, and is no business of `--help` and of completion.
    def _remote(self) -> Any:
        transport = import_module("llm_api.cli.calling.http_transport")
        return transport.HttpTransport(self.url, self.key, self.timeout)

    def _local(self, *, needs_model: bool) -> Any:
        if needs_model:
            import_module("llm_api.cli.own_model").require_model(self.settings)
        transport = import_module("llm_api.cli.calling.local_transport")
        return transport.LocalTransport(transport.local_app())


_named_service = with_options(
    click.option(
        "--url",
        type=_Url(),
        help="Ask the service at this address.  [default: LLM_API_URL, or else what is configured"
        " here; '' is that]",
    ),
    click.option(
        "--key-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with the API key for --url.  [default: LLM_API_KEY]",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=600.0,
        show_default=True,
        help="Seconds for which the service at --url may be silent.",
    ),
)


def service_options(settings: Settings) -> Decorator:
    """Return what adds the options that name a service; the command gets a `target`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(
            *args: Any, url: str | None, key_file: Path | None, timeout: float, **options: Any
        ) -> Any:
            address = settings.remote.url if url is None else url or None
            key = settings.remote.key if key_file is None else key_of(key_file)
            target = Target(settings, address, key, timeout)
            return command(*args, target=target, **options)

        return _named_service(run)

    return decorate


def key_of(path: Path) -> str:
    """Return the API key in a file; raises BadParameter."""
    try:
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key.isprintable() or " " in key or not 0 < len(key) <= _MAX_KEY:
        raise click.BadParameter("must have one API key in it.", param_hint="--key-file")
    return key
