"""The vector store for its operator: what waits, what is published, who embeds, and asking its functions."""
