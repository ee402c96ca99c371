/* SPDX-License-Identifier: MIT */
#include "alpaca_count.h"

#include <stdio.h>

struct alpaca_count *alpaca_count_of(const struct driver_host *host, int32_t max_step)
{
	char key[48];
	snprintf(key, sizeof key, "alpaca:count:%d", host->number);
	struct alpaca_count *count = host->share(host->share_ctx, key, sizeof *count);
	if (count != NULL && !atomic_load(&count->begun)) {
		atomic_store(&count->middle, max_step / 2);
		atomic_store(&count->position, max_step / 2);
		atomic_store(&count->begun, true);
	}
	return count;
}

void alpaca_count_read(struct alpaca_count *count, bool *sent, bool arrives, int32_t target,
	struct focuser_reading *out)
{
	if (out->moving && !*sent) {
		/* Somebody else moves it, and nobody tells how far. */
		atomic_store(&count->doubtful, true);
		atomic_store(&count->moved, true);
	}
	if (*sent && arrives && !out->moving && !out->motion_failed) {
		atomic_store(&count->position, target);
		atomic_store(&count->doubtful, false);
	}
	*sent = *sent && out->moving;
	if (!out->moving && atomic_exchange(&count->moved, false)) {
		/* The count begins anew.  It must not begin with the old number, which core would believe. */
		int32_t middle = atomic_load(&count->middle);
		atomic_store(&count->position, atomic_load(&count->position) != middle ? middle : 0);
	}
	out->position_valid = true;
	out->position = atomic_load(&count->position);
	out->reset_seen = !out->moving && atomic_exchange(&count->doubtful, false);
}
