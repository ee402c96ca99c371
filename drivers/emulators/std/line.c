/* SPDX-License-Identifier: MIT */
/* Words in and out. */
#include <string.h>

#include "emulated.h"

void emulated_say_bytes(struct emulator_reply *reply, const void *bytes, size_t n)
{
	if (n > sizeof reply->data - reply->len) {
		n = sizeof reply->data - reply->len;
	}
	memcpy(reply->data + reply->len, bytes, n);
	reply->len += n;
}

void emulated_say(struct emulator_reply *reply, const char *text)
{
	emulated_say_bytes(reply, text, strlen(text));
}

const char *emulated_line_take(struct emulated_line *line, uint8_t byte)
{
	if (byte == ':') {
		line->open = true;
		line->len = 0;
		return NULL;
	}
	if (!line->open) {
		return NULL;
	}
	if (byte != '#') {
		if (line->len + 1 < sizeof line->text) {
			line->text[line->len++] = (char)byte;
		}
		return NULL;
	}
	line->open = false;
	line->text[line->len] = '\0';
	return line->text;
}
