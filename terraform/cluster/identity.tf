# A role for each application, bound to its service account: no key of AWS is stored anywhere.

resource "aws_iam_openid_connect_provider" "this" {
  url            = aws_eks_cluster.this.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  issuer = trimprefix(aws_iam_openid_connect_provider.this.url, "https://")

  service_accounts = {
    litellm    = "litellm"
    langfuse   = "langfuse"
    clickhouse = "langfuse-clickhouse"
  }

  buckets = {
    langfuse   = var.langfuse_bucket
    clickhouse = var.clickhouse_bucket
  }
}

data "aws_iam_policy_document" "application_trust" {
  for_each = local.service_accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.this.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${each.value}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "application" {
  for_each = local.service_accounts

  name               = "${var.prefix}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.application_trust[each.key].json
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "Bucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${each.value}"]
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${each.value}/*"]
  }
}

resource "aws_iam_role_policy" "bucket" {
  for_each = local.buckets

  name   = "bucket"
  role   = aws_iam_role.application[each.key].id
  policy = data.aws_iam_policy_document.bucket[each.key].json
}

# LiteLLM's role may do nothing until a model of Amazon Bedrock is configured.
resource "aws_iam_role_policy" "litellm" {
  count = var.litellm_policy == null ? 0 : 1

  name   = "bedrock"
  role   = aws_iam_role.application["litellm"].id
  policy = var.litellm_policy
}
