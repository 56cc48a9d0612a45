"""What `watchkeeper bench` measures: one module per benchmark, each with a `run(…) -> dict` that prints nothing."""
