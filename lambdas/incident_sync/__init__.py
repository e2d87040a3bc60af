"""The Lambda functions of the incidents workflow: closed incidents of a table become documents of a knowledge base."""
