/* SPDX-License-Identifier: MIT */
#include "hash_frame.h"

bool hash_frame_line_end(char c)
{
	return c == '\r' || c == '\n';
}

/* What may lie between two frames. */
static bool is_stray(char c)
{
	return c == ' ' || hash_frame_line_end(c) || c == '#' || c == ':';
}

enum scan hash_frame_scan(const char *in, size_t n, hash_frame_allows allows, size_t longest,
	struct span *frame, size_t *skip)
{
	size_t stray = 0;
	while (stray < n && is_stray(in[stray])) {
		stray++;
	}
	if (stray > 0) {
		*skip = stray;
		return SCAN_GARBAGE;
	}
	bool spoilt = false;
	for (size_t i = 0; i < n; i++) {
		if (in[i] == '#' && !spoilt) {
			*frame = (struct span){.data = in, .len = i + 1};
			*skip = i + 1;
			return SCAN_FRAME;
		}
		spoilt = spoilt || !allows(in[i]) || i + 1 >= longest;
		if (spoilt && (in[i] == '#' || hash_frame_line_end(in[i]))) {
			*skip = i + 1;
			return SCAN_GARBAGE;
		}
	}
	return SCAN_MORE;
}
