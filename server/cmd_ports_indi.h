/* SPDX-License-Identifier: MIT */
/* The part of `focusd ports` that asks an INDI server.  Main thread. */
#ifndef FOCUSD_CMD_PORTS_INDI_H
#define FOCUSD_CMD_PORTS_INDI_H

#include <stdbool.h>

#include "indi_servers.h"
#include "json.h"

/* The server on this machine, where INDI's own programs look for it. */
#define PORTS_INDI_HERE "localhost:7624"

/* Cameras and focusers that are shown. */
#define PORTS_INDI_MAX 32

struct ports_indi {
	const char *address;
	bool asked_for;          /* the address was given, so silence is worth a word */
	enum err_code code;      /* of asking */
	struct err err;
	struct indi_offer offer[PORTS_INDI_MAX];
	size_t count;
};

/* Asks the server at address, or with NULL the one on this machine. */
void ports_indi_ask(struct ports_indi *indi, const char *address);
/* Tells people what it has, with the lines of a configuration; nothing when there is no server on this machine. */
void ports_indi_print(const struct ports_indi *indi);
/* Writes the member "indi" of an object: null without a server, else its address and devices. */
void ports_indi_json(const struct ports_indi *indi, struct json_writer *w);

#endif
