"""Native code for the loop: the one place that knows LLVM."""
