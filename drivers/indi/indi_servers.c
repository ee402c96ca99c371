/* SPDX-License-Identifier: MIT */
#include "indi_servers.h"

#include <stdio.h>
#include <string.h>

#include "indi_line.h"
#include "moment.h"

/* A server that has told of a device is taken to have told of all when it was silent for so long. */
#define QUIET_MS 400

struct watch {
	uint64_t updates;
	int64_t since_ms;
};

static bool is_quiet(const struct indi_store *store, void *arg)
{
	struct watch *w = arg;
	int64_t now = real_ms();
	if (store->updates != w->updates || w->since_ms == 0) {
		w->updates = store->updates;
		w->since_ms = now;
	}
	return store->devices > 0 && now - w->since_ms >= QUIET_MS;
}

enum err_code indi_ask_server(const char *address, int64_t wait_ms, struct indi_offer *out, size_t cap, size_t *count,
	struct err *err)
{
	struct indi_line *line = NULL;
	struct watch w = {.updates = 0};
	int64_t deadline_ms = real_ms() + wait_ms;
	*count = 0;
	enum err_code code = indi_line_visit(address, deadline_ms, &line, err);
	if (code != ERR_OK) {
		return code;
	}
	code = indi_line_wait(line, NULL, false, is_quiet, &w, deadline_ms, err);
	const struct indi_store *store = indi_line_look(line);
	for (size_t i = 0; i < store->devices && *count < cap; i++) {
		const struct indi_device *d = &store->device[i];
		bool kinds = (d->interface & (INDI_IS_CAMERA | INDI_IS_FOCUSER)) != 0;
		if (!kinds || indi_store_find(store, d->name, "CONNECTION") == NULL) {
			continue;
		}
		struct indi_offer *offer = &out[(*count)++];
		*offer = (struct indi_offer){
			.is_camera = (d->interface & INDI_IS_CAMERA) != 0,
			.is_focuser = (d->interface & INDI_IS_FOCUSER) != 0,
			.connected = indi_store_on(store, d->name, "CONNECTION", "CONNECT"),
		};
		snprintf(offer->device, sizeof offer->device, "%s", d->name);
	}
	indi_line_done(line);
	indi_line_end_visit(line);
	/* What was told until then is good; silence is no failure. */
	return code == ERR_TIMEOUT ? ERR_OK : code;
}
