"""What films that vendors work on cost the service: `python -m benchmarks.films`."""
