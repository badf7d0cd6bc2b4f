"""Examines what answers at an upstream's address, for `flask doctor`.

Each look is one call of a few tokens. What the upstream says is only compared with patterns.
"""

import base64
import re
import struct
import zlib
from typing import Any
from urllib.parse import urlsplit

import orjson

from llm_api.diagnostics.results import CheckResult, fail, ok, skipped, warn
from llm_api.diagnostics.upstream_probe import Answer, Asker
from llm_api.diagnostics.upstream_route import RouteExamination, Subject
from llm_api.domain.calls import Operation

_MAX_TOKENS = 24
_MAX_SKEW_S = 60
_RED = re.compile(r"\bred\b|红", re.IGNORECASE)
_UNSEEN = "Run it again in a minute."


class ApiExamination:
    """Looks at the API of one upstream: what it takes, and what it answers."""

    def __init__(self, subject: Subject, route: RouteExamination) -> None:
        """Call nobody yet; `route` is asked what the port speaks where it does not speak HTTP."""
        self._subject = subject
        self._route = route
        self._asker = Asker(subject)
        self._cap = "max_tokens"
        self._answer: Answer | None = None

    def chat(self) -> CheckResult:
        """Call the model once, and see whether what answers is an API for chat completions."""
        try:
            answer = self._answer = self._chat("Say ok.")
            if "max_completion_tokens" in answer.words:  # newer models of OpenAI refuse the other
                self._cap = "max_completion_tokens"
                answer = self._answer = self._chat("Say ok.")
        except OSError as error:
            return self._no_answer(error)
        return self._out_of_place(answer) or ok("It answers chat completions.")

    def _out_of_place(self, answer: Answer) -> CheckResult | None:
        """Say what else this is the answer of, if not of an API for chat completions."""
        if 300 <= answer.status < 400:
            return self._redirected(answer)
        if answer.document is None and self._speaks_tls_instead():
            return self._tls_instead()
        is_no_path = answer.status in {404, 405} and not answer.is_about_model
        is_no_json = answer.document is None and answer.status < 300
        is_other_json = answer.status == 200 and not answer.choice and not answer.words.strip()
        if is_no_path or is_no_json or is_other_json:
            what = "a page in HTML" if "html" in answer.kind else f"status {answer.status}"
            return fail(
                f"There is no chat API at this address: it answered with {what}.",
                f"Correct the path in {self._subject.url_setting}; most APIs begin at /v1.",
            )
        if answer.status >= 500 and not answer.is_about_account:
            return fail(
                f"The upstream failed with status {answer.status}.",
                "Wait until it has started or recovered, and look into its own log.",
            )
        return None

    def key(self) -> CheckResult:
        """See whether the call was refused for its key or for the account behind it."""
        answer, setting = self._chat_answer(), self._subject.key_setting
        if answer.is_about_account:
            return fail(
                "The account behind the key is overdue, has spent its quota, or has not bought"
                " this model.",
                "Pay or activate it in the vendor's console.",
            )
        if answer.choice or answer.is_about_model or not answer.is_about_key:
            return ok("It is accepted." if self._subject.endpoint.key else "None is asked for.")
        if not self._subject.endpoint.key:
            return fail("The upstream asks for a key, and none is set.", f"Set {setting}.")
        if answer.status == 403:
            return fail(
                "The upstream knows the key and forbids it this call (403).",
                "Give the key the right to this model in the vendor's console, and see whether"
                " this machine's address is allowed.",
            )
        return fail(
            f"The upstream refused the key ({answer.status}).",
            f"Put a valid key into {setting}; keys are often good for one region only.",
        )

    def model(self) -> CheckResult:
        """See whether the model answered."""
        answer, setting = self._chat_answer(), self._subject.model_setting
        if answer.choice:
            return ok("It answers.")
        if answer.is_about_model:
            return fail(
                "The upstream does not have this model, or not for this key.",
                f"Correct {setting}; the vendor's console lists the models and their exact names.",
            )
        if answer.status == 429:
            return warn("The upstream limits the rate of calls just now (429).", _UNSEEN)
        if "enable_thinking" in answer.words:
            return warn(
                "This model only answers streamed calls, as it thinks.",
                f"Name a model without thinking in {setting}.",
            )
        return fail(
            f"The upstream refused the smallest of calls (status {answer.status}).",
            f"See whether {setting} names a chat model.",
        )

    def model_list(self) -> CheckResult:
        """See whether the upstream lists its models; readiness asks for the list."""
        try:
            answer = self._asker.ask("/models")
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
        """Ask for JSON."""
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
        """Ask for a stream."""
        answer = self._variant("Say ok.", stream=True)
        if isinstance(answer, CheckResult):
            return answer
        if answer.status != 200:
            return fail(
                f"A streamed call is refused (status {answer.status}).",
                f"Name a model in {self._subject.model_setting} that can be streamed.",
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
        """Show a red picture and ask for its color."""
        picture = {"type": "image_url", "image_url": {"url": _red_picture()}}
        question = {"type": "text", "text": "Which color is this? One word."}
        answer = self._variant([picture, question])
        if isinstance(answer, CheckResult):
            return answer
        setting = self._subject.model_setting
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
        """Compare the clocks by the upstream's Date header."""
        skew = self._asker.skew_s
        if skew is None:
            return skipped("The upstream sent no date.")
        if abs(skew) <= _MAX_SKEW_S:
            return ok("The clocks of this machine and the upstream agree.")
        side = "ahead of" if skew > 0 else "behind"
        return warn(
            f"This machine's clock is {_duration(abs(skew))} {side} the upstream's.",
            "Set the clock of this machine, best by NTP: certificates and usage rows depend on it.",
        )

    def _chat(self, content: str | list[Any], **more: Any) -> Answer:
        document = {
            "model": self._subject.endpoint.model,
            "messages": [{"role": "user", "content": content}],
            self._cap: _MAX_TOKENS,
            **more,
        }
        return self._asker.ask(Operation.CHAT, document)

    def _chat_answer(self) -> Answer:
        assert self._answer is not None, "the checks of key and model need that of the API"  # noqa: S101
        return self._answer

    def _variant(self, content: str | list[Any], **more: Any) -> Answer | CheckResult:
        """Make another call to a model that answers; a passing trouble is a finding."""
        if not self._chat_answer().choice:
            return skipped("The model must answer first.")
        try:
            answer = self._chat(content, **more)
        except OSError:
            return warn("The upstream did not answer this call in time, or broke it off.", _UNSEEN)
        if answer.status == 429:
            return warn("The upstream limits the rate of calls just now (429).", _UNSEEN)
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
            f"See whether {self._subject.url_setting} names the port of the API, and look into"
            " the upstream's own log.",
        )

    def _speaks_tls_instead(self) -> bool:
        return not self._subject.is_encrypted and self._route.speaks_tls()

    def _tls_instead(self) -> CheckResult:
        return fail(
            f"Port {self._subject.port} speaks TLS, and the address says http.",
            f"Write https:// in place of http:// into {self._subject.url_setting}.",
        )

    def _redirected(self, answer: Answer) -> CheckResult:
        target = urlsplit(answer.location)
        is_upgrade = target.scheme == "https" and target.hostname == self._subject.host
        setting = self._subject.url_setting
        right = "https:// in place of http://" if is_upgrade else "the address it leads to"
        return fail(
            f"The upstream redirects the call (status {answer.status}), which is not followed.",
            f"Write {right} into {setting}.",
        )


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _red_picture(side: int = 64) -> str:
    """Make a red square as a data URI; vendors refuse pictures of a few pixels."""
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
