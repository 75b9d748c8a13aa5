/* The proleptic Gregorian calendar, without libc's zones (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
#pragma once
#include <stdint.h>

/* Days since 1970-01-01 of year, month (1 to 12) and day of the month. */
int64_t date_days(int64_t year, int month, int day);
