/* SPDX-License-Identifier: MIT */
/*
 * A whole Alpaca request through the route table and the handlers, over a core in memory.  Input: a byte
 * that chooses the verb, the decoded path up to a line end, the form.
 */
#include "fake_api.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) {
		return 0;
	}
	static const enum http_verb verbs[] = {HTTP_GET, HTTP_PUT, HTTP_HEAD, HTTP_POST, HTTP_OTHER};
	const uint8_t *end = memchr(data + 1, '\n', size - 1);
	size_t path_len = end != NULL ? (size_t)(end - data - 1) : size - 1;
	char *path = fuzz_string(data + 1, path_len);
	size_t form_at = end != NULL ? path_len + 2 : size;
	struct span form = {.data = (const char *)data + form_at, .len = size - form_at};
	if (alpaca_owns(path)) {
		fake_api_ask(verbs[data[0] % 5], path, form);
	}
	free(path);
	return 0;
}
