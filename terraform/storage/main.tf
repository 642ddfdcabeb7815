# What may outlive the day: the two buckets and the container of the platform's secrets.

data "aws_caller_identity" "current" {}

locals {
  # Bucket names are one world-wide name space; the account and region make ours our own.
  suffix = substr(sha256("${data.aws_caller_identity.current.account_id}/${var.region}"), 0, 6)

  buckets = toset(["langfuse", "clickhouse"])
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  bucket = "${var.prefix}-${each.key}-${local.suffix}"

  # The platform goes the day it came; what it stored goes with it.
  force_destroy = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "langfuse" {
  bucket = aws_s3_bucket.this["langfuse"].id

  versioning_configuration {
    status = "Enabled"
  }
}

data "aws_iam_policy_document" "tls_only" {
  for_each = aws_s3_bucket.this

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = data.aws_iam_policy_document.tls_only[each.key].json

  # Two changes of one bucket's access at once answer "conflicting operation".
  depends_on = [aws_s3_bucket_public_access_block.this]
}

# The value is put by the tool through the API: it never passes through Terraform, hence never lies in its state.
resource "aws_secretsmanager_secret" "platform" {
  name                    = "${var.prefix}/platform"
  description             = "Passwords and keys of the platform, one JSON document."
  recovery_window_in_days = 0
}
