"""What commands share that ask a service: one elsewhere over HTTP, or the one of this machine.

* `command` is the class of every command: `--json`, an example in its help, exit codes.
* `target` has the options that name a service, and opens a client of it.
* `api_client` sends requests and reads answers, streams and errors; `http_transport` and
  `local_transport` are its two ways: to an address, and into the application in this process.
* `exit_codes` are the exit codes of all commands; `progress` shows that something goes on.
"""
