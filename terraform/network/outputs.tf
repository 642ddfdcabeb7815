output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Where the load balancer is placed."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Where everything else is placed."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "private_subnet_cidrs" {
  description = "Their addresses."
  value       = [for zone in local.zones : aws_subnet.private[zone].cidr_block]
}

output "nat_public_ips" {
  description = "The addresses the platform calls others from."
  value       = [for zone in sort(keys(aws_eip.nat)) : aws_eip.nat[zone].public_ip]
}
