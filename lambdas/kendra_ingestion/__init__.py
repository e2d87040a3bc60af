"""The Lambda functions of Kendra ingestion: one module a function, pure rules and adapters beside them."""
