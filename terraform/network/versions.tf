terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = var.tags
  }

  # Set on the VPC through the API: an end that moves must not make the network drift.
  ignore_tags {
    keys = ["genai:ends", "genai:started", "genai:started-by"]
  }
}
