"""The Lambda functions of the vector store: receipts of a table become Chroma collections that lose nothing."""
