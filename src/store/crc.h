/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of records and blob files. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over n bytes. */
uint32_t store_crc32c(uint32_t crc, const void *p, size_t n);
