"""Which model and upstream answer a call, and which do if those fail."""
