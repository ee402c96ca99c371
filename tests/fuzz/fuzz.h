/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share.  A target is one file with LLVMFuzzerTestOneInput(): it feeds the bytes to
 * one parser and checks what holds for every input (results in bounds, texts in UTF-8, a second look
 * says the same).  Built with libFuzzer it searches; built with corpus_main.c it runs over its corpus; built
 * with torture_main.c it runs over its corpus while allocations are refused.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether an allocation was refused in this run: then a target accepts that memory is short, as said.  False
 * but under torture_main.c. */
bool fuzz_starved(void);

/* Whether what follows belongs to the fixture and is never refused an allocation; returns what was set
 * before. */
bool fuzz_spare(bool spare);

#ifndef FUZZ_REFUSES_MEMORY
__attribute__((weak)) bool fuzz_starved(void)
{
	return false;
}

__attribute__((weak)) bool fuzz_spare(bool spare)
{
	return spare;
}
#endif

/* What must hold for every input. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__,           \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The bytes as a string in an allocation that ends with its NUL, so that reading on is seen; free(). */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
	bool before = fuzz_spare(true);
	char *text = malloc(size + 1);
	fuzz_spare(before);
	if (text == NULL) {
		abort();
	}
	if (size > 0) {
		memcpy(text, data, size);
	}
	text[size] = '\0';
	return text;
}

#endif
