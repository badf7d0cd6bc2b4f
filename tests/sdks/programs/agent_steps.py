"""What the programs of agents share: a client is four functions, and the cases are made of them.

It runs in the environments of the clients, which all have pydantic.
"""

import asyncio
import functools
import importlib.metadata
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from reporting import Facts, Step, run

# Which of its APIs a client uses, where it has several.
FORM = sys.argv[2]
HELLO = "hello"
MORE = "and then?"
# One for all steps, as an application has it: clients keep connections, which belong to a loop.
_LOOP = asyncio.Runner()

Texts = Generator[str, None, None] | AsyncGenerator[str, None]
Tool = Callable[[str], str]


class Person(BaseModel):
    """A person."""

    name: str
    year: int


@dataclass(frozen=True)
class Client:
    """What a client can do; None where it has nothing of the kind.

    A function may be a coroutine. A generator of texts is closed when its user leaves, an
    asynchronous one by the end of its task.
    """

    answer: Callable[[Step], str | Awaitable[str]]
    go_on: Callable[[Step], str | Awaitable[str]] | None = None
    texts: Callable[[Step], Texts] | None = None
    use_tool: Callable[[Step, Tool], str | Awaitable[str]] | None = None
    fill_in: Callable[[Step], BaseModel | Awaitable[BaseModel]] | None = None


def take_steps(distribution: str, client: Client) -> None:
    """Take the steps that the first argument lists, and print what the user of the client gets."""
    each = (_plain, _turns, _stream, _tools, _structured, _broken, _leaving)
    kinds = {one.__name__.strip("_"): one for one in each}
    kinds |= {"refused": _plain, "busy": _plain}
    actions = {name: functools.partial(kind, client) for name, kind in kinds.items()}
    run(importlib.metadata.version(distribution), actions, describe)


def _plain(client: Client, step: Step, facts: Facts) -> None:
    facts["text"] = _result(client.answer(step))


def _turns(client: Client, step: Step, facts: Facts) -> None:
    facts["text"] = _result(client.go_on(step))


def _stream(client: Client, step: Step, facts: Facts) -> None:
    facts["texts"] = []

    def see(text: str) -> None:
        if text:
            facts["texts"].append(text)
            step.tell_arrival()

    _read(client.texts(step), see)


def _broken(client: Client, step: Step, facts: Facts) -> None:
    facts["text"] = ""

    def see(text: str) -> None:
        facts["text"] += text or ""

    _read(client.texts(step), see)


def _tools(client: Client, step: Step, facts: Facts) -> None:
    cities: list[str] = []

    def get_weather(city: str) -> str:
        """Tell the weather of a city.

        Args:
            city: The name of the city.
        """
        cities.append(city)
        return "sunny"

    facts["text"] = _result(client.use_tool(step, get_weather))
    facts["cities"] = sorted(cities)


def _structured(client: Client, step: Step, facts: Facts) -> None:
    facts["parsed"] = _result(client.fill_in(step)).model_dump()


def _leaving(client: Client, step: Step, facts: Facts) -> None:
    """Leave after a text, and ask before the end of the program, which ends everything."""
    texts = client.texts(step)
    if isinstance(texts, AsyncGenerator):
        facts["left"] = _LOOP.run(_leave_task(texts, step))
        return
    next(filter(None, texts))
    texts.close()
    facts["left"] = step.has_left()


def describe(error: BaseException) -> Facts:
    """Collect what a user can read on an exception, and on what it was raised from."""
    texts: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        texts += [str(at), str(getattr(at, "body", ""))]
        at = at.__cause__ or at.__context__
    return {"message": "\n".join(texts)}


def _result(value: Any) -> Any:
    return _LOOP.run(_awaited(value)) if isinstance(value, Awaitable) else value


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _read(texts: Texts, see: Callable[[str], None]) -> None:
    if isinstance(texts, AsyncGenerator):
        _LOOP.run(_read_all(texts, see))
    else:
        for text in texts:
            see(text)


async def _read_all(texts: AsyncGenerator[str, None], see: Callable[[str], None]) -> None:
    try:
        async for text in texts:
            see(text)
    finally:
        await texts.aclose()


async def _leave_task(texts: AsyncGenerator[str, None], step: Step) -> bool:
    """End the task that reads, which is what a web application does when its user leaves."""
    seen = asyncio.Event()
    reading = asyncio.create_task(_read_all(texts, lambda text: seen.set() if text else None))
    await seen.wait()
    reading.cancel()
    await asyncio.wait([reading])
    return await asyncio.to_thread(step.has_left)
