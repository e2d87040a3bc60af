output "policy" {
  description = "What the function's role needs to be given the changes, as policy JSON. It is known without the function."
  value       = data.aws_iam_policy_document.this.json
}
