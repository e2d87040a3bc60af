output "json" {
  description = "Policy that refuses everybody who comes without TLS: a resource's whole policy, or a source document of it."
  value       = data.aws_iam_policy_document.this.json
}
