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

variable "vpc_id" {
  description = "The network."
  type        = string
  nullable    = false
}

variable "private_subnet_ids" {
  description = "Where the databases are placed."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must name at least two subnets."
  }
}

variable "private_subnet_cidrs" {
  description = "Who may reach the databases."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_cidrs) >= 2 && alltrue([for cidr in var.private_subnet_cidrs : can(cidrnetmask(cidr))])
    error_message = "private_subnet_cidrs must be at least two IPv4 networks."
  }
}

variable "secret_id" {
  description = "The secret whose JSON document has postgres_admin_password; null: it is gone, and the database is to go."
  type        = string
}

variable "password_version" {
  description = "Raise it to write the password again."
  type        = number
  nullable    = false
  default     = 1
}

variable "engine_version" {
  description = "Aurora PostgreSQL's full version: what runs, else the snapshot's, else the region's default of major version 16. AWS refuses an earlier one."
  type        = string
  nullable    = false
  default     = "16"

  validation {
    condition     = can(regex("^16(\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a version of PostgreSQL 16, e.g. 16.9."
  }
}

variable "snapshot" {
  description = "A cluster snapshot to start from; null: an empty database. Read at creation only."
  type        = string
  default     = null
}
