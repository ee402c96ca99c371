/* SPDX-License-Identifier: MIT */
/* A query or form body: fields looked up by name, percent-decoded, into rooms of several sizes. */
#include "fuzz.h"
#include "http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"Position", "ClientID", "x", "format", ""};
	struct span form = {.data = (const char *)data, .len = size};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		for (size_t cap = 1; cap <= 4096; cap *= 8) {
			bool before = fuzz_spare(true);
			char *out = malloc(cap);
			fuzz_spare(before);
			FUZZ_CHECK(out != NULL);
			int exact = http_field(form, names[i], false, out, cap);
			FUZZ_CHECK(exact == 0 || exact == -1 || exact == -2);
			FUZZ_CHECK(exact != 0 ||
				   (memchr(out, '\0', cap) != NULL && text_is_utf8(span_of(out))));
			int loose = http_field(form, names[i], true, out, cap);
			/* Whoever has the exact name has it in any case. */
			FUZZ_CHECK(exact == -1 || loose != -1);
			free(out);
		}
	}
	return 0;
}
