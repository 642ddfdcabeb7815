output "langfuse_bucket" {
  description = "Events, media and exports of Langfuse."
  value       = aws_s3_bucket.this["langfuse"].id
}

output "clickhouse_bucket" {
  description = "ClickHouse's disk and backups."
  value       = aws_s3_bucket.this["clickhouse"].id
}

output "secret_arn" {
  description = "Where the platform's secrets are kept."
  value       = aws_secretsmanager_secret.platform.arn
}
