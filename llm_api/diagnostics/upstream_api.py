"""Checks of the API behind an upstream's address.

Each check is at most one call of a few tokens. What the upstream sends is compared with patterns,
and never quoted.
"""

import base64
import re
import struct
import zlib
from typing import Any
from urllib.parse import urlsplit

import orjson

from llm_api.diagnostics.results import CheckResult, fail, ok, skipped, warn
from llm_api.diagnostics.upstream_probe import ProbeClient, ProbeResponse
from llm_api.diagnostics.upstream_route import CheckedUpstream, RouteChecks
from llm_api.domain.calls import Operation
from llm_api.upstream.vendors.profiles import PATHS

_MAX_TOKENS = 24
_MAX_SKEW_S = 60
_RED = re.compile(r"\bred\b|红", re.IGNORECASE)
_RETRY_LATER = "Run it again in a minute."


class ApiChecks:
    """The checks of one upstream's API, to be run in the order of `doctor.upstream_checks`."""

    def __init__(self, upstream: CheckedUpstream, route: RouteChecks) -> None:
        """Check `upstream`; `route` finds out what the port speaks where it is not HTTP."""
        self._upstream = upstream
        self._route = route
        self._client = ProbeClient(upstream)
        self._cap = "max_tokens"
        self._answer: ProbeResponse | None = None

    def chat(self) -> CheckResult:
        """Check that a chat completion is answered by an API for chat completions."""
        try:
            answer = self._answer = self._chat("Say ok.")
            if (
                "max_completion_tokens" in answer.error_text
            ):  # newer models of OpenAI refuse the other
                self._cap = "max_completion_tokens"
                answer = self._answer = self._chat("Say ok.")
        except OSError as error:
            return self._no_answer(error)
        return self._wrong_api(answer) or ok("It answers chat completions.")

    def _wrong_api(self, answer: ProbeResponse) -> CheckResult | None:
        """Return what else has answered, if it is no API for chat completions."""
        if 300 <= answer.status < 400:
            return self._redirected(answer)
        if answer.document is None and self._speaks_tls_instead():
            return self._tls_instead()
        is_no_path = answer.status in {404, 405} and not answer.is_about_model
        is_no_json = answer.document is None and answer.status < 300
        is_other_json = answer.status == 200 and not answer.choice and not answer.error_text.strip()
        if is_no_path or is_no_json or is_other_json:
            what = "a page in HTML" if "html" in answer.kind else f"status {answer.status}"
            return fail(
                f"There is no chat API at this address: it answered with {what}.",
                f"Correct the path in {self._upstream.url_setting}; most APIs begin at /v1.",
            )
        if answer.status >= 500 and not answer.is_about_account:
            return fail(
                f"The upstream failed with status {answer.status}.",
                "Wait until it has started or recovered, and look into its own log.",
            )
        return None

    def key(self) -> CheckResult:
        """Check that the call was not refused for its key or the account behind it."""
        answer, setting = self._chat_answer(), self._upstream.key_setting
        if answer.is_about_account:
            return fail(
                "The account behind the key is overdue, has spent its quota, or has not bought"
                " this model.",
                "Pay or activate it in the vendor's console.",
            )
        if answer.choice or answer.is_about_model or not answer.is_about_key:
            return ok("It is accepted." if self._upstream.endpoint.key else "None is required.")
        if not self._upstream.endpoint.key:
            return fail("The upstream requires a key, and none is set.", f"Set {setting}.")
        if answer.status == 403:
            return fail(
                "The upstream knows the key and forbids it this call (403).",
                "Give the key access to this model in the vendor's console, and see whether"
                " this machine's address is allowed.",
            )
        return fail(
            f"The upstream refused the key ({answer.status}).",
            f"Put a valid key into {setting}; keys are often good for one region only.",
        )

    def model(self) -> CheckResult:
        """Check that the model answered."""
        answer, setting = self._chat_answer(), self._upstream.model_setting
        if answer.choice:
            return ok("It answers.")
        if answer.is_about_model:
            return fail(
                "The upstream does not have this model, or not for this key.",
                f"Correct {setting}; the vendor's console lists the models and their exact names.",
            )
        if answer.status == 429:
            return warn("The upstream limits the rate of calls at present (429).", _RETRY_LATER)
        if "enable_thinking" in answer.error_text:
            return warn(
                "This model only answers streamed calls, as it thinks.",
                f"Name a model without thinking in {setting}.",
            )
        return fail(
            f"The upstream refused the smallest of calls (status {answer.status}).",
            f"See whether {setting} names a chat model.",
        )

    def model_list(self) -> CheckResult:
        """Check that the upstream lists its models, which readiness requests."""
        try:
            answer = self._client.send("/models")
        except OSError:
            status = "no answer"
        else:
            if answer.status == 200:
                return ok("The upstream lists its models.")
            if answer.status in {404, 405}:
                return ok("The upstream has no list, and needs none.")
            status = f"status {answer.status}"
        return warn(
            f"GET /models got {status}, although chat may work.",
            "Let the key read the models, or expect /readyz to report the upstream.",
        )

    def json_mode(self) -> CheckResult:
        """Check JSON mode."""
        answer = self._variant(
            'Reply with the json object {"ok": true}.', response_format={"type": "json_object"}
        )
        if isinstance(answer, CheckResult):
            return answer
        advice = "Name another model if your callers use response_format."
        if not answer.choice:
            return warn(f"JSON mode is refused (status {answer.status}).", advice)
        if answer.choice.get("finish_reason") == "stop" and not _is_json(answer.text):
            return warn("JSON mode is accepted, and the answer is not JSON.", advice)
        return ok("JSON mode is accepted.")

    def streaming(self) -> CheckResult:
        """Check that a stream arrives in chunks and as a whole."""
        answer = self._variant("Say ok.", stream=True)
        if isinstance(answer, CheckResult):
            return answer
        if answer.status != 200:
            return fail(
                f"A streamed call is refused (status {answer.status}).",
                f"Name a model in {self._upstream.model_setting} that can be streamed.",
            )
        if not answer.kind.startswith("text/event-stream"):
            return warn(
                "A streamed call is answered in one piece.",
                "Look for a proxy in front of the upstream that collects answers.",
            )
        if b'"choices"' not in answer.body or b"[DONE]" not in answer.body:
            return fail(
                "A stream breaks off before its end.",
                "Look for a proxy or a time-out between here and the upstream.",
            )
        return ok("Streams arrive whole.")

    def pictures(self) -> CheckResult:
        """Check that the model names the color of a red picture."""
        picture = {"type": "image_url", "image_url": {"url": _red_picture()}}
        question = {"type": "text", "text": "Which color is this? One word."}
        answer = self._variant([picture, question])
        if isinstance(answer, CheckResult):
            return answer
        setting = self._upstream.model_setting
        if not answer.choice:
            return fail(
                f"The model takes no pictures (status {answer.status}).",
                f"Name a vision model in {setting}.",
            )
        if answer.choice.get("finish_reason") == "stop" and not _RED.search(answer.text):
            return warn(
                "The model took a red picture and did not call it red.",
                f"See whether {setting} names a vision model.",
            )
        return ok("The model takes pictures.")

    def clock(self) -> CheckResult:
        """Check the clock of this machine against the upstream's Date header."""
        skew = self._client.skew_s
        if skew is None:
            return skipped("The upstream sent no date.")
        if abs(skew) <= _MAX_SKEW_S:
            return ok("The clocks of this machine and the upstream agree.")
        side = "ahead of" if skew > 0 else "behind"
        return warn(
            f"This machine's clock is {_duration(abs(skew))} {side} the upstream's.",
            "Set the clock of this machine, best by NTP: certificates and usage rows depend on it.",
        )

    def _chat(self, content: str | list[Any], **more: Any) -> ProbeResponse:
        document = {
            "model": self._upstream.endpoint.model,
            "messages": [{"role": "user", "content": content}],
            self._cap: _MAX_TOKENS,
            **more,
        }
        return self._client.send(PATHS[Operation.CHAT], document)

    def _chat_answer(self) -> ProbeResponse:
        assert self._answer is not None, "the check of the API comes first"  # noqa: S101
        return self._answer

    def _variant(self, content: str | list[Any], **more: Any) -> ProbeResponse | CheckResult:
        """Make another call to a model that answered; a temporary failure is a result."""
        if not self._chat_answer().choice:
            return skipped("The model must answer first.")
        try:
            answer = self._chat(content, **more)
        except OSError:
            return warn(
                "The upstream did not answer this call in time, or broke it off.", _RETRY_LATER
            )
        if answer.status == 429:
            return warn("The upstream limits the rate of calls at present (429).", _RETRY_LATER)
        return answer

    def _no_answer(self, error: OSError) -> CheckResult:
        if isinstance(error, TimeoutError):
            return fail(
                "The upstream takes connections, and does not answer in time.",
                "Look into the upstream's own log; it may be loading a model or hang.",
            )
        if self._speaks_tls_instead():
            return self._tls_instead()
        return fail(
            "The upstream closed the connection without an answer in HTTP.",
            f"See whether {self._upstream.url_setting} names the port of the API, and look into"
            " the upstream's own log.",
        )

    def _speaks_tls_instead(self) -> bool:
        return not self._upstream.is_encrypted and self._route.speaks_tls()

    def _tls_instead(self) -> CheckResult:
        return fail(
            f"Port {self._upstream.port} speaks TLS, and the address says http.",
            f"Write https:// in place of http:// into {self._upstream.url_setting}.",
        )

    def _redirected(self, answer: ProbeResponse) -> CheckResult:
        target = urlsplit(answer.location)
        is_upgrade = target.scheme == "https" and target.hostname == self._upstream.host
        setting = self._upstream.url_setting
        expected = "https:// in place of http://" if is_upgrade else "the address it leads to"
        return fail(
            f"The upstream redirects the call (status {answer.status}), which is not followed.",
            f"Write {expected} into {setting}.",
        )


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _red_picture(side: int = 64) -> str:
    """Return a red square as a PNG data URI; vendors refuse pictures of a few pixels.

    PNG: https://www.w3.org/TR/png-3/#5DataRep.
    """
    rows = (b"\x00" + b"\xff\x00\x00" * side) * side  # each row begins with its filter's number
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes / 60:.1f} h" if minutes >= 60 else f"{minutes} min"
