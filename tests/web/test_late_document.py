"""The API document is written once, when it is first asked for."""

from llm_api.web.late_document import LateDocument
from tests.storage.crowd import in_threads


def test_a_document_is_written_once_for_all_that_ask_at_once() -> None:
    written: list[bytes] = []

    def write() -> bytes:
        written.append(b'{"openapi": "3.1.0"}')
        return written[-1]

    document, answers = LateDocument(write), list[bytes]()
    assert written == []  # nobody has asked

    in_threads(lambda: answers.append(document.to_json()), [()] * 8)

    assert (answers, len(written)) == ([b'{"openapi": "3.1.0"}'] * 8, 1)
    assert document.to_dict() == {"openapi": "3.1.0"}
