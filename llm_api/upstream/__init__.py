"""Upstreams: OpenAI-compatible HTTP endpoints, and everything that is known about calling them.

* `client` is the door: one `UpstreamClient` an upstream, with its concurrency bound and its repeat.
* `transport` is one `requests` session with its connections, deadlines and watch.
* `answers` checks what an upstream sent; `events` reads server-sent events; `faults` turns every
  failure into one of our errors. Foreign exceptions end here.
* `local` starts and supervises the bundled model; `llama_child` is the program that it starts.
"""
