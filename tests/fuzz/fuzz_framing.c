/* SPDX-License-Identifier: MIT */
/* The headers that say how long a request is.  Input: name, colon, value, line end, and so on. */
#include "fuzz.h"
#include "http_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_framing framing;
	memset(&framing, 0, sizeof framing);
	const char *at = (const char *)data;
	const char *end = at + size;
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *stop = line_end != NULL ? line_end : end;
		const char *colon = memchr(at, ':', (size_t)(stop - at));
		const char *value = colon != NULL ? colon + 1 : stop;
		http_framing_add(&framing,
			(struct span){.data = at, .len = (size_t)((colon != NULL ? colon : stop) - at)},
			(struct span){.data = value, .len = (size_t)(stop - value)});
		at = line_end != NULL ? line_end + 1 : end;
	}
	if (http_framing_fault(&framing, false) == NULL) {
		FUZZ_CHECK(framing.hosts == 1 && framing.lengths + framing.codings <= 1);
		FUZZ_CHECK(framing.length < 1000000000000000000);
		FUZZ_CHECK((http_framing_fault(&framing, true) == NULL) == (framing.codings == 0));
	}
	return 0;
}
