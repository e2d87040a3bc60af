output "arn" {
  description = "ARN of the role, known once the role may do its work."
  value       = aws_iam_role.this.arn
  depends_on  = [aws_iam_role_policy.this]
}
