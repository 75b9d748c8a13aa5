/* What the files of the CRCs share. */
#pragma once
#include "identity/digest.h"

/* CRC-64/NVME's polynomial 0xad93d23594c93659, bits reversed. */
#define CRC64NVME_REFLECTED 0x9a6c9329ac4bc9b5ull

/* Both work on the raw register (before the final inversion). The second needs PCLMULQDQ and n >= 16. */
uint64_t crc64_by_tables(uint64_t crc, const uint8_t *p, size_t n);
#if defined(__x86_64__)
uint64_t crc64_by_folding(uint64_t crc, const uint8_t *p, size_t n);
#endif
