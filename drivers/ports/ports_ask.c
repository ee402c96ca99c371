/* SPDX-License-Identifier: MIT */
/* Asking one port whether it is what its USB identity promises: one protocol, one rate, one question. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ports.h"
#include "transport.h"

#define LISTEN_MS 200
#define OPEN_MS 1500

static void wait_ms(int ms)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t never;
	clock_cond_init(&never);
	int64_t until = clock_now_ms(clock_real()) + ms;
	pthread_mutex_lock(&lock);
	while (!clock_wait(clock_real(), &never, &lock, until)) {
	}
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&never);
}

enum err_code ports_listen(const char *path, int baud, struct err *err)
{
	struct transport *pipe = NULL;
	struct transport_settings settings = {.baud = baud > 0 ? baud : 9600};
	int64_t now = clock_now_ms(clock_real());
	enum err_code code = transport_open(path, &settings, now + OPEN_MS, &pipe, err);
	if (code != ERR_OK) {
		return code;
	}
	char heard[64];
	size_t got = 0;
	code = pipe->ops->read_some(pipe, heard, sizeof heard, &got,
		clock_now_ms(clock_real()) + LISTEN_MS, err);
	if (code == ERR_OK) {
		code = err_set(err, ERR_PROTOCOL,
			"%s talks unasked, as no focuser does; nothing was sent to it", path);
	} else if (code == ERR_TIMEOUT) {
		code = ERR_OK;
	}
	pipe->ops->destroy(pipe);
	return code;
}

enum err_code ports_ask(const struct port_info *port, struct focuser_caps *caps, struct err *err)
{
	if (port->kind != PORT_FOCUSER || port->holder.pid != 0 || !port->exists) {
		return err_set(err, ERR_INVALID_OPERATION, "%s is not asked", port->node);
	}
	const struct focuser_driver *driver = port->driver;
	enum err_code code = ports_listen(port->node, 0, err);
	if (code != ERR_OK) {
		return code;
	}
	struct focuser_port where = {.baud = 0};
	snprintf(where.port, sizeof where.port, "%s", port->node);
	const struct driver_host host = {.clock = clock_real(), .source = "ports", .partner = -1};
	void *ctx = calloc(1, driver->ctx_size);
	if (ctx == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	struct focuser_caps found = {.max_step = 0};
	code = driver->open(ctx, &where, &host, err);
	if (code == ERR_OK) {
		wait_ms(driver->open_wait_for != NULL ? driver->open_wait_for(&where)
						      : driver->open_wait_ms);
		code = driver->identify(ctx, &found, err);
	}
	driver->close(ctx);
	free(ctx);
	if (code == ERR_OK) {
		*caps = found;
	}
	return code;
}
