"""Upstreams: OpenAI-compatible HTTP endpoints, and everything that is known about calling them.

* `client` is the door: one `UpstreamClient` an upstream, with its concurrency bound; `traits` says
  what is peculiar to an upstream, `call` is one call with all its attempts.
* `policy` decides about attempts, with `breaker` (leave a failing upstream alone) and `budget`
  (repeat only so much).
* `transport` is one `requests` session with its connections, deadlines and watch.
* A body is read by `body`, which takes off its `framing`; `events` finds the server-sent events in
  it, `chunks` checks and settles each with its `deltas`, `relay` passes them on in batches, and
  `collect` puts them together where nobody asked for a stream. `answers` checks what came whole.
* `refusals` reads what an upstream says is wrong; `faults` are all failures as our errors. Foreign
  exceptions end here.
* `examine`, `examine_route` and `examine_call` find out what `flask doctor` tells of an upstream.
* `local` starts and supervises the bundled model; `llama_child` is the program that it starts.
"""
