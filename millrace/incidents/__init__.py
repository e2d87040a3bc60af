"""incident_sync as its operator meets it (docs/incident_sync.md): what waits, whether all is well, the runs."""
