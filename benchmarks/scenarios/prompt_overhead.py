"""Measure what optimizing a prompt costs besides the model.

Run it with `python -m benchmarks.scenarios.prompt_overhead`.

The service runs as shipped, before an upstream that answers at once with a rewrite of 200 words, or
in Chinese of 300 characters. Every prompt is another one, so that nothing known of one helps with
the next. The figure is `own` of `Server-Timing`: all the time of a request that was not spent at
the upstream.
"""

import argparse
import http.client
import itertools
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.process import tree_cpu_seconds
from benchmarks.harness.programs import service_program, upgrade_database
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running
from tests.support import replies
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
LIMIT_MS = 3.0
WARM_UP = 20
DEFAULT_PROMPTS = 300
OPTIMIZE = "/api/v1/llm/optimize-prompt"
OWN = re.compile(r"own;dur=([\d.]+)")

COLORS = ["red", "blue", "green", "yellow", "white", "black", "purple", "orange"]
THINGS = ["cat", "bicycle", "chair", "teapot", "boat", "horse", "umbrella", "clock", "dog", "car"]
PLACES = ["on a sill", "in a field", "on a beach", "beside a wall", "under a bridge"]
COLORS_ZH = ["红色", "蓝色", "绿色", "黄色", "白色", "黑色", "紫色", "橙色"]
THINGS_ZH = ["猫", "自行车", "椅子", "茶壶", "小船", "马", "雨伞", "时钟", "狗", "汽车"]
PLACES_ZH = ["在窗台上", "在田野里", "在沙滩上", "在墙边", "在桥下"]
DETAILS = (
    " Soft morning light falls from the left and draws long shadows over the ground, while the far"
    " side stays in a cool half shade. The surface shows fine scratches, a dull gloss and a little"
    " dust in the corners. Muted earthy tones surround the main color, which stays the strongest in"
    " the frame. The background recedes into a soft haze with low contrast, and the ground in front"
    " is sharp down to the smallest grain. The framing is calm and wide, at eye level, with the"
    " subject a little off center and clear space around it."
)
DETAILS_ZH = (
    "柔和的晨光从左侧照来，在地面拉出长长的影子，另一侧处在清冷的半阴影里。表面有细小的划痕，"
    "泛着暗淡的光泽，角落积着一点灰尘。周围是低饱和的大地色调，主体的颜色最为醒目。"
    "背景渐渐隐入柔和的雾气，对比很低，前方的地面清晰到最细的颗粒。"
)


@dataclass(frozen=True)
class Overhead:
    """The own time of the service for prompts of a language, and its CPU time, in milliseconds."""

    language: str
    prompts: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    limit_ms: float = LIMIT_MS

    @property
    def is_kept(self) -> bool:
        """Whether the median is within the limit."""
        return self.p50_ms <= self.limit_ms


def prompts_of(language: str) -> Iterator[str]:
    """Yield short prompts, no two of them the same."""
    if language == "zh":
        for number, (color, thing, place) in enumerate(
            itertools.product(COLORS_ZH, THINGS_ZH, PLACES_ZH)
        ):
            yield f"一只{color}的{thing}{place}，招牌上写着“第{number}号”"
    for number, (color, thing, place) in enumerate(itertools.product(COLORS, THINGS, PLACES)):
        yield f'a {color} {thing} {place} with a label "No {number}"'


def rewritten(request: RecordedRequest) -> Reply:
    """Answer as a good model does: with the description, and two hundred words behind it."""
    description = json.loads(request.json["messages"][1]["content"])["description"]
    is_english = description.isascii()
    text = f"{description}." + DETAILS * 2 if is_english else f"{description}。{DETAILS_ZH * 2}"
    return replies.completion(json.dumps({"optimized_prompt": text}, ensure_ascii=False))


def own_ms(connection: http.client.HTTPConnection, prompt: str) -> float:
    """Have a prompt rewritten, and return the service's own time; ValueError if it was not."""
    body = json.dumps({"prompt": prompt, "type": "image"}).encode()
    connection.request("POST", OPTIMIZE, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    match = OWN.search(response.headers.get("Server-Timing", ""))
    if response.status != http.client.OK or "warnings" in answer or match is None:
        raise ValueError(f"no rewrite: {response.status} {answer}")
    return float(match[1])


def send(prompts: Iterable[str], port: int, upstream: ScriptedUpstream) -> Sequence[float]:
    """Have prompts rewritten one after the other, and return the own time of each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    try:
        for prompt in prompts:
            upstream.script(replies.answer_with(rewritten))
            times.append(own_ms(connection, prompt))
    finally:
        connection.close()
    return times


def measure(language: str, count: int, server: Server, upstream: ScriptedUpstream) -> Overhead:
    """Measure so many prompts of a language."""
    prompts = prompts_of(language)
    send(itertools.islice(prompts, WARM_UP), server.port, upstream)
    before = tree_cpu_seconds(server.pid)
    times = sorted(send(itertools.islice(prompts, count), server.port, upstream))
    cpu_ms = (tree_cpu_seconds(server.pid) - before) * 1000 / len(times)
    p95 = times[int(0.95 * len(times))]
    return Overhead(language, len(times), statistics.median(times), p95, cpu_ms)


def measure_all(count: int) -> Sequence[Overhead]:
    """Start the service and measure both languages."""
    with tempfile.TemporaryDirectory(prefix="prompt-overhead-") as folder:
        [port] = free_ports(1)
        with ScriptedUpstream() as upstream:
            service = service_program(REPOSITORY_ROOT, port, upstream.port, Path(folder))
            upgrade_database(service)
            with running(service) as server:
                return [measure(language, count, server, upstream) for language in ("en", "zh")]


def main() -> int:
    """Print the figures; the exit status is 1 where nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.scenarios.prompt_overhead", description=__doc__
    )
    parser.add_argument("--prompts", type=int, default=DEFAULT_PROMPTS, help="for each language")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    try:
        figures = measure_all(min(arguments.prompts, 380))
    except (BenchmarkError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for figure in figures:
        word = "kept" if figure.is_kept else "missed"
        print(
            f"own time, {figure.language}: p50 {figure.p50_ms:.1f} ms, p95 {figure.p95_ms:.1f} ms"
            f" of {figure.prompts} prompts (limit {figure.limit_ms:.1f} ms at p50: {word});"
            f" CPU {figure.cpu_ms:.1f} ms a prompt"
        )
    if arguments.json:
        document: dict[str, Any] = {"prompt_overhead": [asdict(figure) for figure in figures]}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
