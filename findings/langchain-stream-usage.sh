#!/usr/bin/env bash
# LangChain asks for the usage of a stream only if no address is set, even if the address is OpenAI's own.
#
# Software   langchain-openai 1.7.4, openai 3.57.0
# Expected   `base_url` changes where a request goes, not what it says
# Observed   without `base_url` a streamed request has stream_options: {include_usage: true}. With any base_url,
#            the default address included, it has not, so that a gateway that relies on the client's request
#            counts no tokens for LangChain's streams.
# Output     None -> {'include_usage': True}
#            https://api.openai.com/v1 -> None
#            https://gateway.example/v1 -> None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check langchain-openai==1.7.4 openai==3.57.0

cat >check.py <<'PY'
import json

import httpx2
from langchain_openai import ChatOpenAI

choice = {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
sent = []


def answer(transport, request):
    """Answer instead of the network."""
    sent.append(json.loads(request.read()))
    return httpx2.Response(
        200,
        headers={"Content-Type": "text/event-stream"},
        text=f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n",
        request=request,
    )


httpx2.HTTPTransport.handle_request = answer
for base_url in (None, "https://api.openai.com/v1", "https://gateway.example/v1"):
    list(ChatOpenAI(model="gpt-4o", api_key="k", base_url=base_url).stream("hi"))
    options = sent[-1].get("stream_options")
    print(base_url, "->", options)
    assert options == ({"include_usage": True} if base_url is None else None)
PY
env -u OPENAI_BASE_URL -u OPENAI_API_BASE -u OPENAI_PROXY env/bin/python check.py
