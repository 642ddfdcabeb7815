# Aurora PostgreSQL Serverless v2: one instance that grows and shrinks with its load.

# Read when needed and never stored: neither plan nor state knows the password.
ephemeral "aws_secretsmanager_secret_version" "platform" {
  count = var.secret_id == null ? 0 : 1

  secret_id = var.secret_id
}

resource "aws_db_subnet_group" "this" {
  name       = var.prefix
  subnet_ids = var.private_subnet_ids
}

resource "aws_rds_cluster_parameter_group" "this" {
  name        = var.prefix
  family      = "aurora-postgresql16"
  description = "TLS is required"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

resource "aws_rds_cluster" "this" {
  cluster_identifier = var.prefix
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned"
  engine_version     = var.engine_version

  snapshot_identifier        = var.snapshot
  master_username            = "platform"
  master_password_wo         = var.secret_id == null ? null : jsondecode(ephemeral.aws_secretsmanager_secret_version.platform[0].secret_string)["postgres_admin_password"]
  master_password_wo_version = var.secret_id == null ? null : var.password_version

  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.this["postgres"].id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this.name

  storage_encrypted       = true
  backup_retention_period = 1
  copy_tags_to_snapshot   = true

  # It goes the day it came; what is to be kept is kept by a snapshot made before.
  deletion_protection      = false
  skip_final_snapshot      = true
  delete_automated_backups = true
  apply_immediately        = true

  serverlessv2_scaling_configuration {
    min_capacity = 0.5
    max_capacity = 4
  }

  lifecycle {
    # Which snapshot it came from matters on its first day only.
    ignore_changes = [snapshot_identifier]
  }
}

resource "aws_rds_cluster_instance" "this" {
  identifier         = "${var.prefix}-1"
  cluster_identifier = aws_rds_cluster.this.id
  engine             = aws_rds_cluster.this.engine
  instance_class     = "db.serverless"

  db_subnet_group_name = aws_db_subnet_group.this.name
  publicly_accessible  = false
  apply_immediately    = true
}
