/* SPDX-License-Identifier: MIT */
/* What an INDI server offers, for people who write a configuration.  Nothing is switched, connected or moved. */
#ifndef FOCUSD_INDI_SERVERS_H
#define FOCUSD_INDI_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* A camera or a focuser of the server. */
struct indi_offer {
	char device[64];         /* its name, as `device =` wants it */
	bool is_camera, is_focuser;
	bool connected;          /* to its hardware */
};

/* Asks the server at "host:port" what it has, for at most wait_ms of real time, and stops sooner when it has told of
 * something and is silent.  At most cap cameras and focusers are put into out; *count says how many.  Any thread.
 * ERR_IO and ERR_TIMEOUT with a sentence when nobody answers there, ERR_PROTOCOL when it is no INDI server. */
enum err_code indi_ask_server(const char *address, int64_t wait_ms, struct indi_offer *out, size_t cap, size_t *count,
	struct err *err);

#endif
