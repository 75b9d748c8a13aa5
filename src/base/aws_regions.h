/* AWS's regions: name, letters of their zones, the prefix of their zones' ids, what they are called, the zones' numbers, and
 * whether an account has to opt in. "Regions and Zones", Amazon EC2 User Guide; "AWS Availability Zones". */
#pragma once
/* clang-format off: a table */
#define AWS_REGIONS(X)                                                                                          \
	X("af-south-1", "abc", "afs1", "Africa (Cape Town)", "123", true)                                       \
	X("ap-east-1", "abc", "ape1", "Asia Pacific (Hong Kong)", "123", true)                                  \
	X("ap-east-2", "abc", "ape2", "Asia Pacific (Taipei)", "123", true)                                     \
	X("ap-northeast-1", "acd", "apne1", "Asia Pacific (Tokyo)", "412", false)                               \
	X("ap-northeast-2", "abcd", "apne2", "Asia Pacific (Seoul)", "1234", false)                             \
	X("ap-northeast-3", "abc", "apne3", "Asia Pacific (Osaka)", "312", false)                               \
	X("ap-south-1", "abc", "aps1", "Asia Pacific (Mumbai)", "132", false)                                   \
	X("ap-south-2", "abc", "aps2", "Asia Pacific (Hyderabad)", "123", true)                                 \
	X("ap-southeast-1", "abc", "apse1", "Asia Pacific (Singapore)", "213", false)                           \
	X("ap-southeast-2", "abc", "apse2", "Asia Pacific (Sydney)", "312", false)                              \
	X("ap-southeast-3", "abc", "apse3", "Asia Pacific (Jakarta)", "123", true)                              \
	X("ap-southeast-4", "abc", "apse4", "Asia Pacific (Melbourne)", "123", true)                            \
	X("ap-southeast-5", "abc", "apse5", "Asia Pacific (Malaysia)", "123", true)                             \
	X("ap-southeast-6", "abc", "apse6", "Asia Pacific (New Zealand)", "123", true)                          \
	X("ap-southeast-7", "abc", "apse7", "Asia Pacific (Thailand)", "123", true)                             \
	X("ca-central-1", "abd", "cac1", "Canada (Central)", "124", false)                                      \
	X("ca-west-1", "abc", "caw1", "Canada West (Calgary)", "123", true)                                     \
	X("cn-north-1", "abd", "cnn1", "China (Beijing)", "124", false)                                         \
	X("cn-northwest-1", "abc", "cnnw1", "China (Ningxia)", "123", false)                                    \
	X("eu-central-1", "abc", "euc1", "Europe (Frankfurt)", "231", false)                                    \
	X("eu-central-2", "abc", "euc2", "Europe (Zurich)", "123", true)                                        \
	X("eu-north-1", "abc", "eun1", "Europe (Stockholm)", "123", false)                                      \
	X("eu-south-1", "abc", "eus1", "Europe (Milan)", "123", true)                                           \
	X("eu-south-2", "abc", "eus2", "Europe (Spain)", "123", true)                                           \
	X("eu-west-1", "abc", "euw1", "Europe (Ireland)", "312", false)                                         \
	X("eu-west-2", "abc", "euw2", "Europe (London)", "231", false)                                          \
	X("eu-west-3", "abc", "euw3", "Europe (Paris)", "123", false)                                           \
	X("il-central-1", "abc", "ilc1", "Israel (Tel Aviv)", "123", true)                                      \
	X("me-central-1", "abc", "mec1", "Middle East (UAE)", "123", true)                                      \
	X("me-south-1", "abc", "mes1", "Middle East (Bahrain)", "123", true)                                    \
	X("mx-central-1", "abc", "mxc1", "Mexico (Central)", "123", true)                                       \
	X("sa-east-1", "abc", "sae1", "South America (Sao Paulo)", "123", false)                                \
	X("us-east-1", "abcdef", "use1", "US East (N. Virginia)", "612435", false)                              \
	X("us-east-2", "abc", "use2", "US East (Ohio)", "123", false)                                           \
	X("us-gov-east-1", "abc", "usge1", "AWS GovCloud (US-East)", "123", false)                              \
	X("us-gov-west-1", "abc", "usgw1", "AWS GovCloud (US-West)", "123", false)                              \
	X("us-west-1", "ac", "usw1", "US West (N. California)", "13", false)                                    \
	X("us-west-2", "abcd", "usw2", "US West (Oregon)", "2134", false)
/* clang-format on */
