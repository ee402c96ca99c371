/* SPDX-License-Identifier: MIT */
/* The decoded path of a request: /api/v1/{type}/{number}/{member}. */
#include "alpaca_call.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = fuzz_string(data, size);
	struct alpaca_path found = {.number = 77};
	struct err err = {.code = ERR_OK};
	enum err_code code = alpaca_path_parse(path, &found, &err);
	if (code == ERR_OK) {
		/* What was taken apart makes the path again: nothing was skipped or read twice. */
		bool before = fuzz_spare(true);
		char *again = malloc(strlen(path) + 32);
		fuzz_spare(before);
		FUZZ_CHECK(again != NULL);
		int n = snprintf(again, strlen(path) + 32, "/api/v1/%s/%u/%.*s",
			found.kind->kind->name, found.number,
			(int)found.member.len, found.member.data);
		FUZZ_CHECK(n > 0 && strcmp(again, path) == 0);
		free(again);
	} else {
		FUZZ_CHECK(err.code == code && err.text[0] != '\0' && found.number == 77);
	}
	free(path);
	return 0;
}
