/* SPDX-License-Identifier: MIT */
/* Numbers and texts, compared with what the C library reads in the C locale. */
#include <errno.h>
#include <math.h>

#include "fuzz.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span span = {.data = (const char *)data, .len = size};
	char *text = fuzz_string(data, size);
	char *end;
	uint32_t u32;
	int32_t i32;
	double number;
	bool flag;
	if (text_parse_u32(span, &u32)) {
		FUZZ_CHECK(strtoull(text, &end, 10) == u32 && *end == '\0');
	}
	if (text_parse_i32(span, &i32)) {
		FUZZ_CHECK(strtoll(text, &end, 10) == i32 && *end == '\0');
	}
	if (text_parse_double(span, &number)) {
		FUZZ_CHECK(strtod(text, &end) == number && *end == '\0' && isfinite(number));
		char printed[32];
		text_print_double(printed, number);
		FUZZ_CHECK(strtod(printed, NULL) == number && strchr(printed, ',') == NULL);
	}
	if (text_parse_bool(span, &flag)) {
		FUZZ_CHECK(strcasecmp(text, flag ? "true" : "false") == 0);
	}
	for (size_t cap = 1; cap < 64; cap = cap * 2 + 1) {
		bool before = fuzz_spare(true);
		char *out = malloc(cap);
		fuzz_spare(before);
		FUZZ_CHECK(out != NULL);
		text_copy_clean(out, cap, text);
		FUZZ_CHECK(memchr(out, '\0', cap) != NULL && text_is_utf8(span_of(out)));
		free(out);
	}
	free(text);
	return 0;
}
