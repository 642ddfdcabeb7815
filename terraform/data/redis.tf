# One node as a replication group: only a group takes a token. The token is set by the tool through the API, since an
# argument would lie in Terraform's state.

resource "aws_elasticache_subnet_group" "this" {
  name       = var.prefix
  subnet_ids = var.private_subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.prefix}-redis7"
  family      = "redis7"
  description = "Langfuse's queue must never be evicted"

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.prefix
  description          = "Queue and cache of ${var.prefix}"

  engine               = "redis"
  engine_version       = "7.1"
  node_type            = "cache.t4g.small"
  num_cache_clusters   = 1
  port                 = 6379
  parameter_group_name = aws_elasticache_parameter_group.this.name

  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [aws_security_group.this["redis"].id]

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true

  automatic_failover_enabled = false
  multi_az_enabled           = false
  snapshot_retention_limit   = 0
  apply_immediately          = true

  lifecycle {
    ignore_changes = [auth_token, auth_token_update_strategy]
  }
}
