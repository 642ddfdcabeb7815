output "postgres_cluster_id" {
  description = "The Aurora cluster's own identifier, another one whenever it is re-created."
  value       = aws_rds_cluster.this.cluster_resource_id
}

output "postgres_host" {
  description = "Its writer's host name."
  value       = aws_rds_cluster.this.endpoint
}

output "postgres_port" {
  description = "Its port."
  value       = aws_rds_cluster.this.port
}

output "postgres_admin" {
  description = "The user that makes databases and owners."
  value       = aws_rds_cluster.this.master_username
}

output "redis_replication_group_id" {
  description = "The replication group."
  value       = aws_elasticache_replication_group.this.id
}

output "redis_host" {
  description = "Its primary's host name."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "redis_port" {
  description = "Its port."
  value       = aws_elasticache_replication_group.this.port
}
