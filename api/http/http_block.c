/* SPDX-License-Identifier: MIT */
#include "http_block.h"

#include <stdint.h>
#include <string.h>

enum { LINE_END_MIN = 1, LINE_END_MAX = 2 }; /* "\n" or "\r\n" */

/* How many bytes lie from `from` to `to`; negative when to stands before it.  The two may belong to different
 * allocations, as those of a continued line do, so they are compared as numbers. */
static intptr_t distance(const char *from, const char *to)
{
	return (intptr_t)((uintptr_t)to - (uintptr_t)from);
}

/* Whether the next thing that was shown begins between min and max bytes behind the last, and only the NULs of line
 * ends lie between. */
static bool follows(const char *from, const char *to, intptr_t min, intptr_t max)
{
	intptr_t gap = distance(from, to);
	if (gap < min || gap > max) {
		return false;
	}
	for (intptr_t i = 0; i < gap; i++) {
		if (from[i] != '\0') {
			return false;
		}
	}
	return true;
}

/* Whether one NUL, and behind it nothing but blanks, lie between the two on a line. */
static bool follows_on_line(const char *from, const char *to, intptr_t max)
{
	intptr_t gap = distance(from, to);
	if (gap < 1 || gap > max || from[0] != '\0') {
		return false;
	}
	for (intptr_t i = 1; i < gap; i++) {
		if (from[i] != ' ' && from[i] != '\t') {
			return false;
		}
	}
	return true;
}

/* More than the memory that the library has for a connection: a larger gap lies in other memory and is not read. */
enum { HEAD_MAX = 65536 };

void http_block_begin(struct http_block *block, const char *method, struct span address, const char *version)
{
	block->is_broken = !follows_on_line(method + strlen(method), address.data, HEAD_MAX) ||
			   !follows(address.data + address.len, version, 1, 1);
	block->at = version + strlen(version);
}

void http_block_add(struct http_block *block, struct span name, struct span value)
{
	block->is_broken = block->is_broken || !follows(block->at, name.data, LINE_END_MIN, LINE_END_MAX) ||
			   !follows_on_line(name.data + name.len, value.data, HEAD_MAX);
	block->at = value.data + value.len;
}

bool http_block_is_whole(struct http_block *block, const char *end)
{
	return !block->is_broken && follows(block->at, end, 2 * LINE_END_MIN, 2 * LINE_END_MAX);
}
