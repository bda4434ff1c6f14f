"""Reception of the program's stream: a thread, a jitter buffer, takes."""
