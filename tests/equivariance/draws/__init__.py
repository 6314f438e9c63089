"""Random small networks of all kinds of operations, judged by the library and by an independent truth."""
