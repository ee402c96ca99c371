/* SPDX-License-Identifier: MIT */
/* The words of [focuser.N] quirks. */
#include <stdio.h>
#include <string.h>

#include "focuser_driver.h"
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

bool focuser_unknown_quirk(const struct focuser_driver *driver, const char *quirks, char *unknown,
	size_t cap)
{
	for (struct span word = next_word(&quirks); word.len > 0; word = next_word(&quirks)) {
		const struct focuser_quirk *known = driver->quirks;
		while (known != NULL && known->word != NULL && !span_equal(word, known->word)) {
			known++;
		}
		if (known == NULL || known->word == NULL) {
			snprintf(unknown, cap, "%.*s", (int)word.len, word.data);
			return true;
		}
	}
	return false;
}
