/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

bool kept_init(struct kept *kept, size_t room)
{
	*kept = (struct kept){.item = calloc(room, sizeof *kept->item), .room = room};
	return kept->item != NULL;
}

void kept_fini(struct kept *kept)
{
	for (size_t i = 0; i < kept->count; i++) {
		run_free(kept->item[i].run);
	}
	free(kept->item);
	*kept = (struct kept){0};
}

struct kept_run *kept_find(const struct kept *kept, uint64_t id)
{
	for (size_t i = 0; i < kept->count; i++) {
		if (kept->item[i].run->id == id) {
			return &kept->item[i];
		}
	}
	return NULL;
}

static void take_out(struct kept *kept, size_t at)
{
	kept->count--;
	memmove(&kept->item[at], &kept->item[at + 1], (kept->count - at) * sizeof kept->item[0]);
}

struct run *kept_put(struct kept *kept, struct run *run)
{
	struct kept_run *same = kept_find(kept, run->id);
	if (same != NULL) {
		run_free(same->run);
		same->run = run;
		same->version = ++kept->versions;
		return NULL;
	}
	struct run *lost = NULL;
	if (kept->count == kept->room) {
		size_t oldest = kept->item[0].writing ? 1 : 0;
		lost = kept->item[oldest].run;
		take_out(kept, oldest);
	}
	kept->item[kept->count++] = (struct kept_run){.run = run, .version = ++kept->versions};
	return lost;
}

void kept_written(struct kept *kept, uint64_t id, uint64_t version)
{
	struct kept_run *item = kept_find(kept, id);
	if (item != NULL && item->version == version) {
		run_free(item->run);
		take_out(kept, (size_t)(item - kept->item));
	}
}
