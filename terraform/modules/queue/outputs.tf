output "name" {
  description = "Name of the queue."
  value       = aws_sqs_queue.this.name
}

output "arn" {
  description = "ARN of the queue."
  value       = aws_sqs_queue.this.arn
}

output "url" {
  description = "URL of the queue, known once its policy stands."
  value       = aws_sqs_queue.this.url
  depends_on  = [aws_sqs_queue_policy.this]
}
