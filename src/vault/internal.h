/* What the files of the vault share. */
#pragma once
#include "vault/vault.h"

struct vault {
	uint8_t root[32];
};
