provider "aws" {
  region = var.aws_region

  default_tags {
    tags = {
      project    = "millrace"
      deployment = var.name_prefix
    }
  }
}
