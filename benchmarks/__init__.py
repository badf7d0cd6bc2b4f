"""The benchmark behind `make bench`: the service against nginx, on loopback, in one run."""
