"""Which model and upstream answer a call, and which do when those fail."""
