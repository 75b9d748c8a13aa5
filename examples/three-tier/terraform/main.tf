# The shop of ../template.yaml in Terraform. The program is zipped and uploaded by it.
#
#     terraform init && terraform apply            (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID=test, AWS_SECRET_ACCESS_KEY=test)
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}

provider "aws" {
  region                      = var.region
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false
  default_tags { tags = { project = "shop" } }
}

variable "region" { default = "us-east-1" }
variable "password" {
  description = "the database's: make one up (TF_VAR_password)"
  sensitive   = true
}
variable "program" {
  description = "shop.zip: python3 -m zipfile -c shop.zip ../app/*.py ../app/*.html"
  default     = "shop.zip"
}

data "aws_availability_zones" "all" { state = "available" }
data "aws_ssm_parameter" "image" { name = "/aws/service/debian/release/12/latest/amd64" }

locals {
  zones = slice(data.aws_availability_zones.all.names, 0, 2)
  tiers = ["web", "application", "database"]
  fetch = <<-END
    #!/bin/bash
    set -eu
    mkdir -p /opt/shop && cd /opt/shop
    M=http://169.254.169.254/latest
    T=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $M/api/token)
    get() { curl -sf -H "X-aws-ec2-metadata-token: $T" $M/meta-data/iam/security-credentials/$1; }
    value() { sed -n 's/.*"'$1'" *: *"\([^"]*\)".*/\1/p' keys; }
    get "$(get '')" | tr ',' '\n' > keys
    curl -sf --retry 10 --retry-all-errors --aws-sigv4 aws:amz:${var.region}:s3 \
      --user "$(value AccessKeyId):$(value SecretAccessKey)" -H "x-amz-security-token: $(value Token)" \
      -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -o shop.zip \
      https://${aws_s3_bucket.artifacts.id}.s3.${var.region}.amazonaws.com/${aws_s3_object.program.key}
    rm keys && python3 -m zipfile -e shop.zip .
  END
}

# ── the network ──
resource "aws_vpc" "shop" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "shop" }
}
resource "aws_internet_gateway" "shop" { vpc_id = aws_vpc.shop.id }
resource "aws_subnet" "public" {
  count                   = 2
  vpc_id                  = aws_vpc.shop.id
  availability_zone       = local.zones[count.index]
  cidr_block              = cidrsubnet("10.0.0.0/22", 2, count.index)
  map_public_ip_on_launch = true
  tags                    = { Name = "public-${count.index}" }
}
resource "aws_subnet" "private" {
  for_each          = { for p in setproduct(range(3), range(2)) : "${local.tiers[p[0]]}-${p[1]}" => p }
  vpc_id            = aws_vpc.shop.id
  availability_zone = local.zones[each.value[1]]
  cidr_block        = cidrsubnet("10.0.0.0/16", 8, 4 * (1 + each.value[0]) + each.value[1])
  tags              = { Name = each.key }
}
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.shop.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.shop.id
  }
}
resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}
resource "aws_eip" "nat" {
  count  = 2
  domain = "vpc"
}
resource "aws_nat_gateway" "shop" {
  count         = 2
  subnet_id     = aws_subnet.public[count.index].id
  allocation_id = aws_eip.nat[count.index].id
  depends_on    = [aws_internet_gateway.shop]
}
resource "aws_route_table" "private" {
  count  = 2
  vpc_id = aws_vpc.shop.id
  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.shop[count.index].id
  }
}
resource "aws_route_table_association" "private" {
  for_each       = { for k, s in aws_subnet.private : k => s if !startswith(k, "database") }
  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[tonumber(split("-", each.key)[1])].id
}
resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.shop.id
  service_name    = "com.amazonaws.${var.region}.s3"
  route_table_ids = aws_route_table.private[*].id
}

# ── who may speak to whom ──
locals {
  groups = {
    balancer    = { port = 80, from = null }
    web         = { port = 80, from = "balancer" }
    internal    = { port = 80, from = "web" }
    application = { port = 8080, from = "internal" }
    database    = { port = 5432, from = "application" }
  }
}
resource "aws_security_group" "tier" {
  for_each    = local.groups
  name        = "shop-${each.key}"
  description = each.key
  vpc_id      = aws_vpc.shop.id
}
resource "aws_vpc_security_group_ingress_rule" "tier" {
  for_each                     = local.groups
  security_group_id            = aws_security_group.tier[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.from == null ? "0.0.0.0/0" : null
  referenced_security_group_id = each.value.from == null ? null : aws_security_group.tier[each.value.from].id
}
resource "aws_vpc_security_group_egress_rule" "tier" {
  for_each          = local.groups
  security_group_id = aws_security_group.tier[each.key].id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# ── data ──
resource "aws_s3_bucket" "artifacts" {
  bucket_prefix = "shop-artifacts-"
  force_destroy = true
}
resource "aws_s3_object" "program" {
  bucket = aws_s3_bucket.artifacts.id
  key    = "shop-${filemd5(var.program)}.zip"
  source = var.program
}
resource "aws_s3_bucket" "pictures" {
  bucket_prefix = "shop-pictures-"
  force_destroy = true
}
resource "aws_s3_bucket_public_access_block" "pictures" {
  bucket                  = aws_s3_bucket.pictures.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_secretsmanager_secret" "database" {
  name_prefix             = "shop-"
  recovery_window_in_days = 0
}
resource "aws_secretsmanager_secret_version" "database" {
  secret_id     = aws_secretsmanager_secret.database.id
  secret_string = jsonencode({ username = "shop", password = var.password })
}
resource "aws_db_subnet_group" "shop" {
  name       = "shop"
  subnet_ids = [for k, s in aws_subnet.private : s.id if startswith(k, "database")]
}
resource "aws_db_instance" "shop" {
  identifier             = "shop"
  engine                 = "postgres"
  instance_class         = "db.t4g.micro"
  allocated_storage      = 20
  db_name                = "shop"
  username               = "shop"
  password               = var.password
  multi_az               = true
  db_subnet_group_name   = aws_db_subnet_group.shop.name
  vpc_security_group_ids = [aws_security_group.tier["database"].id]
  skip_final_snapshot    = true
}

# ── what the servers may do ──
resource "aws_iam_role" "server" {
  name = "shop-server"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
resource "aws_iam_role_policy" "server" {
  name = "shop"
  role = aws_iam_role.server.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.artifacts.arn}/*" },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "${aws_s3_bucket.pictures.arn}/pictures/*" },
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = aws_secretsmanager_secret.database.arn },
    ]
  })
}
resource "aws_iam_instance_profile" "server" {
  name = "shop-server"
  role = aws_iam_role.server.name
}

# ── the two tiers ──
locals {
  servers = {
    web         = { port = 80, internal = false, group = "balancer", run = "PORT=80 APPLICATION=http://$APPLICATION python3 web.py" }
    application = { port = 8080, internal = true, group = "internal", run = "PORT=8080 python3 shop.py" }
  }
}
resource "aws_lb" "tier" {
  for_each           = local.servers
  name               = "shop-${each.key}"
  internal           = each.value.internal
  load_balancer_type = "application"
  security_groups    = [aws_security_group.tier[each.value.group].id]
  subnets            = each.value.internal ? [for k, s in aws_subnet.private : s.id if startswith(k, each.key)] : aws_subnet.public[*].id
  depends_on         = [aws_internet_gateway.shop]
}
resource "aws_lb_target_group" "tier" {
  for_each             = local.servers
  name                 = "shop-${each.key}"
  port                 = each.value.port
  protocol             = "HTTP"
  vpc_id               = aws_vpc.shop.id
  deregistration_delay = 2
  health_check {
    path                = "/health"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}
resource "aws_lb_listener" "tier" {
  for_each          = local.servers
  load_balancer_arn = aws_lb.tier[each.key].arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tier[each.key].arn
  }
}
resource "aws_launch_template" "tier" {
  for_each               = local.servers
  name                   = "shop-${each.key}"
  image_id               = data.aws_ssm_parameter.image.insecure_value
  instance_type          = "t3.small"
  vpc_security_group_ids = [aws_security_group.tier[each.key].id]
  iam_instance_profile { arn = aws_iam_instance_profile.server.arn }
  metadata_options { http_tokens = "required" }
  user_data = base64encode(<<-END
    ${local.fetch}
    export APPLICATION=${aws_lb.tier["application"].dns_name} AWS_REGION=${var.region} BUCKET=${aws_s3_bucket.pictures.id}
    export DB_SECRET=${aws_secretsmanager_secret.database.arn} DB_HOST=${aws_db_instance.shop.address} DB_PORT=${aws_db_instance.shop.port}
    ${replace(each.value.run, "python3", "setsid python3")} > /var/log/shop.log 2>&1 &
  END
  )
}
resource "aws_autoscaling_group" "tier" {
  for_each                  = local.servers
  name                      = "shop-${each.key}"
  min_size                  = 2
  max_size                  = 4
  vpc_zone_identifier       = [for k, s in aws_subnet.private : s.id if startswith(k, each.key)]
  target_group_arns         = [aws_lb_target_group.tier[each.key].arn]
  health_check_type         = "ELB"
  health_check_grace_period = 60
  launch_template {
    id      = aws_launch_template.tier[each.key].id
    version = aws_launch_template.tier[each.key].latest_version
  }
  tag {
    key                 = "Name"
    value               = each.key
    propagate_at_launch = true
  }
  depends_on = [aws_route_table_association.private, aws_vpc_endpoint.s3, aws_iam_role_policy.server, aws_secretsmanager_secret_version.database]
}
resource "aws_autoscaling_policy" "tier" {
  for_each               = local.servers
  name                   = "cpu"
  autoscaling_group_name = aws_autoscaling_group.tier[each.key].name
  policy_type            = "TargetTrackingScaling"
  target_tracking_configuration {
    predefined_metric_specification { predefined_metric_type = "ASGAverageCPUUtilization" }
    target_value = 60
  }
}

output "url" { value = "http://${aws_lb.tier["web"].dns_name}/" }
