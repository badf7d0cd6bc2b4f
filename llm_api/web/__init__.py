"""HTTP: everything that imports Flask.

A request passes `hooks` (id), `limits`, then its view. `body` is the one strict JSON decoder,
`fields` the strict marshmallow fields, `api` ties both to flask-smorest. `dialects` says how errors
look on which path, `envelopes` answers with them, `notes` are headers about what became of a
request, `sse` is a streamed answer, `outgoing` cuts off clients that do not read, and `replays`
recognizes repeats.
`rest/` and `openai/` are the two dialects and do not know each other. `ops` is for operators and
probes, `pages` for people with a browser.
"""
