# What both data stores share: only the private subnets may reach them.

resource "aws_security_group" "this" {
  for_each = {
    postgres = "PostgreSQL from the private subnets"
    redis    = "Redis from the private subnets"
  }

  name        = "${var.prefix}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id

  tags = { Name = "${var.prefix}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "postgres" {
  for_each = toset(var.private_subnet_cidrs)

  security_group_id = aws_security_group.this["postgres"].id
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  for_each = toset(var.private_subnet_cidrs)

  security_group_id = aws_security_group.this["redis"].id
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 6379
  to_port           = 6379
}
