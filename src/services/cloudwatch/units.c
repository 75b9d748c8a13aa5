/* The units of data points, in the order of the API's StandardUnit; their places here are what is stored. */
#include "services/cloudwatch/points.h"

const char *const cw_units[CW_UNITS] = {"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes",
	"Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
	"Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second",
	"Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second", "None"};
const int32_t cw_resolutions[CW_RESOLUTIONS] = {1, 60, 300, 3600};
const int64_t cw_retention_s[CW_RESOLUTIONS] = {3 * 3600, 15 * 86400, 63 * 86400, 455 * 86400};

uint8_t cw_unit(struct str name)
{
	uint8_t i = 0;
	while (i < CW_UNITS && !str_eq(name, str_c(cw_units[i]))) i++;
	return i;
}
