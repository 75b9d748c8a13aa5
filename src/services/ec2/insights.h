/* Reachability Analyzer's kinds of resources. */
#pragma once
#include "services/ec2/network.h"

EC2_TYPES_DECLARE(insights_path);
EC2_TYPES_DECLARE(insights_analysis);
