/* SPDX-License-Identifier: MIT */
/* A discovery datagram. */
#include "discovery.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool wanted = discovery_is_request(data, size);
	FUZZ_CHECK(!wanted || (size >= 16 && memcmp(data, "alpacadiscovery1", 16) == 0));
	return 0;
}
