"""HTTP: everything that imports Flask.

A request passes `middleware`, `lifecycle` (id, log line), `access` (authentication, rate limit),
`request` (body, caller) and its view; `response` has what is sent back: errors, headers, events of
streams. `idempotency` replays the responses to repeated requests. `schema_fields` are marshmallow's
fields with our messages, `smorest` ties them to flask-smorest, and `blueprints` says which routes
are public, for admins and rate limited.
`rest/` and `openai/` are two API dialects and do not import each other; `making` is what requests
for pictures and for films share in both. `health` is for probes,
`console` for browsers.
"""
