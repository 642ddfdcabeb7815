# Who administers the cluster. EKS gives its creator an entry of its own, which must not be made twice.

data "aws_caller_identity" "current" {}

data "aws_iam_session_context" "current" {
  arn = data.aws_caller_identity.current.arn
}

# Remembers who made the cluster: an identity that runs this later is not taken for its creator.
resource "terraform_data" "creator" {
  input = data.aws_iam_session_context.current.issuer_arn

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  admins = setsubtract(var.admins, [terraform_data.creator.input])
}

resource "aws_eks_access_entry" "admin" {
  for_each = local.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.key
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = aws_eks_access_entry.admin

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}
