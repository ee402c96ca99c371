/* SPDX-License-Identifier: MIT */
/* A transcript from a letter: whatever is read must print as text that reads back as the same. */
#include "fuzz.h"
#include "transcript.h"

static void check_again(const struct transcript_entry *entry)
{
	struct buf buf;
	buf_init(&buf, 1 << 16);
	transcript_print(&buf, entry->ms, entry->kind, entry->data, entry->len);
	if (buf.failed) {
		FUZZ_CHECK(fuzz_starved());
		buf_fini(&buf);
		return;
	}
	struct span text = {.data = buf_text(&buf), .len = buf.len};
	struct span line;
	size_t len = 0;
	do {
		struct transcript_entry again;
		FUZZ_CHECK(transcript_next_line(&text, &line));
		FUZZ_CHECK(transcript_read(line, &again) == TRANSCRIPT_ENTRY);
		FUZZ_CHECK(again.ms == entry->ms && again.kind == entry->kind);
		FUZZ_CHECK(again.len <= entry->len - len);
		FUZZ_CHECK(memcmp(again.data, entry->data + len, again.len) == 0);
		len += again.len;
	} while (len < entry->len);
	FUZZ_CHECK(text.len == 0);
	buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {.data = (const char *)data, .len = size};
	struct span line;
	while (transcript_next_line(&text, &line)) {
		struct transcript_entry entry;
		struct span value;
		if (transcript_read(line, &entry) == TRANSCRIPT_ENTRY) {
			check_again(&entry);
		}
		FUZZ_CHECK(!transcript_fact(line, "driver", &value) || value.len < line.len);
	}
	return 0;
}
