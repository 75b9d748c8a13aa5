/* CRC-32C by ISA-L, which picks the fastest instructions of the machine at run time. */
#include "store/crc.h"
#include <isa-l/crc.h>

uint32_t store_crc32c(uint32_t crc, const void *p, size_t n)
{
	crc = ~crc;
	unsigned char *at = (unsigned char *)(uintptr_t)p; /* ISA-L reads only, but takes no const */
	while (n > 0) {
		int part = n > 1 << 30 ? 1 << 30 : (int)n;
		crc = crc32_iscsi(at, part, crc);
		at += part;
		n -= (size_t)part;
	}
	return ~crc;
}
