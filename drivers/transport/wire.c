/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <string.h>

#include "moment.h"
#include "talker.h"
#include "trace.h"

/* For a TCP connect; a serial port opens at once. */
#define OPEN_MS 1800
/* GPS receivers say something every second at least, most every 200 ms. */
#define LISTEN_MS 200

enum err_code wire_open(struct wire *w, const char *where, const struct transport_settings *settings, int gap_ms,
	const struct driver_host *host, struct err *err)
{
	struct transport *pipe = NULL;
	memset(w, 0, sizeof *w);
	enum err_code code = transport_open(where, settings, real_ms() + OPEN_MS, &pipe, err);
	if (code != ERR_OK) {
		return code;
	}
	w->pipe = trace_host(pipe, host);
	w->opened_ms = real_ms();
	exchange_init(&w->x, w->pipe, settings->baud, gap_ms);
	w->x.urgent = host->urgent;
	w->x.urgent_ctx = host->urgent_ctx;
	return ERR_OK;
}

void wire_close(struct wire *w)
{
	if (w->pipe != NULL) {
		w->pipe->ops->destroy(w->pipe);
		w->pipe = NULL;
	}
}

enum err_code wire_require_open(const struct wire *w, struct err *err)
{
	return w->pipe != NULL ? ERR_OK : err_set(err, ERR_NOT_CONNECTED, "the port is not open");
}

enum err_code wire_hear_out(struct wire *w, int64_t deadline_ms, struct err *err)
{
	if (w->heard_out) {
		return ERR_OK;
	}
	enum err_code code = talker_refuse(&w->x, sooner(w->opened_ms + LISTEN_MS, deadline_ms), err);
	w->heard_out = code == ERR_OK;
	return code;
}

const char *wire_name(const struct wire *w)
{
	return w->pipe->ops->describe(w->pipe);
}

enum err_code wire_not_found(const struct wire *w, enum err_code code, const char *hint, struct err *err)
{
	if (code == ERR_TIMEOUT) {
		return err_set(err, code,
			"nothing answers on %s: check power, cable, and that this is the right port%s", wire_name(w),
			hint);
	}
	if (code == ERR_PROTOCOL && err != NULL) {
		struct err what = *err;
		return err_set(err, code, "%s: check that this is the right port, and its baud%s", what.text, hint);
	}
	return code;
}

bool wire_urgent(const struct wire *w)
{
	return w->x.urgent != NULL && w->x.urgent(w->x.urgent_ctx);
}
