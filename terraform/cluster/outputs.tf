output "cluster_name" {
  description = "The EKS cluster."
  value       = aws_eks_cluster.this.name
}

output "cluster_endpoint" {
  description = "Address of its Kubernetes API."
  value       = aws_eks_cluster.this.endpoint
}

output "cluster_ca" {
  description = "Authority of its Kubernetes API, base64 PEM."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "cluster_security_group_id" {
  description = "The group EKS made for nodes and control plane."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_provider_arn" {
  description = "Who vouches for service accounts."
  value       = aws_iam_openid_connect_provider.this.arn
}

output "litellm_role_arn" {
  description = "Role of the service account litellm."
  value       = aws_iam_role.application["litellm"].arn
}

output "langfuse_role_arn" {
  description = "Role of the service account langfuse."
  value       = aws_iam_role.application["langfuse"].arn
}

output "clickhouse_role_arn" {
  description = "Role of the service account langfuse-clickhouse."
  value       = aws_iam_role.application["clickhouse"].arn
}
