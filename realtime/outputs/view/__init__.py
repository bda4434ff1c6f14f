"""The viewer: a window or a web page, in a process of its own."""
