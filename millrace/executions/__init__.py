"""Executions of the state machine: finding and starting them, reading their history, watching, drawing."""
