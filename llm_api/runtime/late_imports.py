"""Modules that a worker loads with their first use, though others import them at start.

No call needs them, or few do. Of our own, those that import one use it as `module.name`: to import
a name from it loads it. `importlib.util.LazyLoader` is no help: under Python 3.11 a second
`import` of a module loads it.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from gevent import monkey

LATE = frozenset(
    {
        "charset_normalizer",  # requests, for texts of unknown encodings: bodies are bytes here
        "idna",  # requests, for names of hosts that are not ASCII
        "json_repair",  # for replies of models that are not JSON
        "llm_api.observability.metric_exposition",  # when metrics are asked for
        "prometheus_client",  # with the first call
        "limits.aio",  # limits, for services that are asynchronous
        "statistics",  # for verdicts on pictures
        "yaml",  # flask-smorest, for a command that this service does not have
        # For pictures and prompts:
        "llm_api.services.images.layout_sketch.sketch_drawing",
        "llm_api.services.prompts.checks.edit_checks",
        "llm_api.services.prompts.compiling.compiler",
        "llm_api.services.prompts.descriptions.description_checks",
        "llm_api.services.prompts.dialects.dialect_table",
        "llm_api.services.prompts.edits.content_words",
        "llm_api.services.prompts.edits.edit_constraints",
        "llm_api.services.prompts.edits.keeping_words",
        "llm_api.services.prompts.encoders.token_counts",
        "llm_api.services.prompts.repair.repairer",
        "llm_api.services.prompts.storyboards.storyboard_answers",
        "llm_api.services.prompts.storyboards.storyboarder",
        "llm_api.services.prompts.strategies.edit_wording",
        "llm_api.services.prompts.strategies.reply_parser",
        "llm_api.web.reference.reference_page",  # when the page is first read
        # For pages of the console:
        "llm_api.web.console.failure_page",
        "llm_api.web.console.figures",
        "llm_api.web.console.usage_arguments",
        "llm_api.web.console.usage_view",
        # For Anthropic's API and OpenAI's newer one:
        "llm_api.web.anthropic.chat_turns",
        "llm_api.web.anthropic.message_answers",
        "llm_api.web.anthropic.message_events",
        "llm_api.web.openai.responses.input.conversation",
        "llm_api.web.openai.responses.passed_events",
        "llm_api.web.openai.responses.response_events",
        "llm_api.web.openai.responses.response_object",
    }
)


_LOCK, _IS_LOADING = "__late_lock__", "__late_is_loading__"
# The system's own, which holds threads apart, and no greenlets: an import does not switch them.
_new_lock = monkey.get_original("_thread", "RLock")


def import_late(names: frozenset[str] = LATE) -> None:
    """Have these modules loaded when something of them is used; those that are there stay."""
    sys.meta_path.insert(0, _Finder(names))


class _Finder(MetaPathFinder):
    """Finds the modules, and sees to it that a part of one comes after its whole."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module; None where the usual finders know."""
        package = sys.modules.get(name.rpartition(".")[0])
        if isinstance(package, _LateModule):
            package.load()
            if name in sys.modules:  # it has imported its part itself
                return ModuleSpec(name, _PresentLoader(sys.modules[name]))
        spec = PathFinder.find_spec(name, path, target) if name in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


class _LateModule(ModuleType):
    """A module that is not loaded yet."""

    def __getattr__(self, name: str) -> Any:
        """Load the module: it is asked for something that it does not have yet."""
        if name == "__version__":  # requests looks whether it fits
            with suppress(PackageNotFoundError):
                return version(self.__name__)
        self.load()
        # Not this method again: it may be what the module itself asks for while it is loaded.
        return ModuleType.__getattribute__(self, name)

    def load(self) -> None:
        """Load it, once; other threads wait until all of it is there.

        The thread that loads it comes here again where the module imports parts of itself, and
        finds what there is so far.
        """
        lock = self.__dict__.get(_LOCK)
        if lock is None:  # another thread has just loaded it
            return
        with lock:
            if self.__class__ is ModuleType or self.__dict__.get(_IS_LOADING):
                return
            self.__dict__[_IS_LOADING] = True
            try:
                if self.__spec__ is not None and self.__spec__.loader is not None:
                    self.__spec__.loader.exec_module(self)
            finally:
                del self.__dict__[_IS_LOADING]
            self.__class__ = ModuleType  # type: ignore[assignment]  # as LazyLoader does it
            del self.__dict__[_LOCK]


class _LateLoader(Loader):
    """Makes a module, and leaves its code for later."""

    def __init__(self, usual: Loader) -> None:
        self._usual = usual

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing yet."""
        if module.__spec__ is not None:
            module.__loader__ = module.__spec__.loader = self._usual
        module.__dict__[_LOCK] = _new_lock()
        module.__class__ = _LateModule


class _PresentLoader(Loader):
    """Returns a module that is there."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return it."""
        del spec
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Give it back what the import has overwritten."""
        module.__spec__ = self._spec
