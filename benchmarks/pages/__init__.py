"""The pages that are written from a run's figures: docs/benchmarks.md and docs/sizing.md."""
