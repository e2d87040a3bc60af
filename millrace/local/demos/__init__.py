"""What `make demo` tells: a story for each workflow, which ends well only when it came out as it is meant."""
