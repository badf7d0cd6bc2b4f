"""Works on loops: `loop_work` on their tasks, one `loop_run` for each, `try_run` on each try."""
