/* SPDX-License-Identifier: MIT */
/* The words of [focuser.N] quirks. */
#include <string.h>

#include "quirks.h"
#include "text.h"

/* The next word; len 0 at the end. */
static struct span next_word(const char **at)
{
	static const char between[] = ", \t";
	const char *begin = *at + strspn(*at, between);
	struct span word = {.data = begin, .len = strcspn(begin, between)};
	*at = begin + word.len;
	return word;
}

bool focuser_has_quirk(const struct focuser_port *port, const char *word)
{
	const char *at = port->quirks;
	for (struct span found = next_word(&at); found.len > 0; found = next_word(&at)) {
		if (span_equal(found, word)) {
			return true;
		}
	}
	return false;
}

void quirks_read(const struct focuser_quirk *quirks, const struct focuser_port *port, void *base)
{
	for (const struct focuser_quirk *q = quirks; q != NULL && q->word != NULL; q++) {
		if (q->flag != 0) {
			*(bool *)((char *)base + q->flag) = focuser_has_quirk(port, q->word);
		}
	}
}
