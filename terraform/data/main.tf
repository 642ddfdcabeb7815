# Who may reach the databases: the private subnets, nobody else.

resource "aws_security_group" "this" {
  for_each = {
    postgres = { description = "PostgreSQL from the private subnets", port = 5432 }
    redis    = { description = "Redis from the private subnets", port = 6379 }
  }

  name        = "${var.prefix}-${each.key}"
  description = each.value.description
  vpc_id      = var.vpc_id

  # All rules there are: one that somebody adds by hand is seen, and goes.
  ingress {
    cidr_blocks = var.private_subnet_cidrs
    protocol    = "tcp"
    from_port   = each.value.port
    to_port     = each.value.port
  }
  egress = []

  tags = { Name = "${var.prefix}-${each.key}" }
}

# Earlier versions kept each rule as a resource of its own; the rules themselves stay.
removed {
  from = aws_vpc_security_group_ingress_rule.postgres

  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_vpc_security_group_ingress_rule.redis

  lifecycle {
    destroy = false
  }
}
