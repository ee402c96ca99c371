/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share.  A target is one file with LLVMFuzzerTestOneInput(): it feeds the bytes to
 * one parser and checks what holds for every input (results in bounds, texts in UTF-8, a second look
 * says the same).  Built with libFuzzer it searches; built with corpus_main.c it runs over its corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	char *text = malloc(size + 1);
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
