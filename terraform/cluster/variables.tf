variable "region" {
  description = "Where everything is made, e.g. ap-northeast-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like ap-northeast-1."
  }
}

variable "account_id" {
  description = "The only account this may change; null: whichever the credentials belong to."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits."
  }
}

variable "prefix" {
  description = "First part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,34}[a-z0-9])?$", var.prefix))
    error_message = "prefix must be 1 to 36 lower-case letters, digits and hyphens."
  }
}

variable "tags" {
  description = "Tags on everything made here."
  type        = map(string)
  nullable    = false
}

variable "kubernetes_version" {
  description = "EKS's minor version, e.g. 1.35."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version must look like 1.35."
  }
}

variable "admins" {
  description = "Roles and users that administer the cluster, in addition to the identity that makes it."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.admins : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "admins must be ARNs of IAM roles or users."
  }
}

variable "public_access_cidrs" {
  description = "Networks that may reach the Kubernetes API from the internet; credentials are still needed."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.public_access_cidrs) > 0 && alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr))])
    error_message = "public_access_cidrs must be at least one IPv4 network."
  }
}

variable "private_subnet_ids" {
  description = "Where nodes and the control plane's interfaces are placed."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must name at least two subnets."
  }
}

variable "langfuse_bucket" {
  description = "The bucket Langfuse may use."
  type        = string
  nullable    = false
}

variable "clickhouse_bucket" {
  description = "The bucket ClickHouse may use."
  type        = string
  nullable    = false
}

variable "namespace" {
  description = "The Kubernetes namespace of the service accounts that the roles are bound to."
  type        = string
  nullable    = false
}

variable "litellm_policy" {
  description = "IAM policy of LiteLLM's role, as JSON; null: it may do nothing in AWS."
  type        = string
  default     = null

  validation {
    condition     = var.litellm_policy == null ? true : can(jsondecode(var.litellm_policy).Statement)
    error_message = "litellm_policy must be an IAM policy document in JSON."
  }

  validation {
    condition     = var.litellm_policy == null ? true : !strcontains(var.litellm_policy, "*")
    error_message = "litellm_policy must name every action and resource in full."
  }
}
