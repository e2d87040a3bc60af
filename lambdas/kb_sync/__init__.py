"""The Lambda function of the knowledge base sync: what its executions and its table say, as metrics."""
