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

variable "cidr" {
  description = "The network's addresses, /16 to /22."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && contains(range(16, 23), tonumber(split("/", var.cidr)[1]))
    error_message = "cidr must be an IPv4 network from /16 to /22."
  }
}

variable "zones" {
  description = "How many availability zones to use."
  type        = number
  nullable    = false

  validation {
    condition     = contains(range(2, 7), var.zones)
    error_message = "zones must be 2 to 6."
  }
}

variable "nat" {
  description = "One NAT gateway for all zones, or one in each."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["single", "per-zone"], var.nat)
    error_message = "nat must be single or per-zone."
  }
}
