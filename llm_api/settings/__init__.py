"""Settings of the environment and data files of `config/`; the only place that reads either."""
