"""The MCP server (docs/mcp.md): what `millrace` does with incidents, as tools for a model's client.

`server` speaks MCP and gives each call a thread (`waiting`); in it `tools` does the work with the command line's own
pieces, `batches` works passes without the machine, `telling` puts a run into sentences, and `results` are the shapes
that come back.
"""
