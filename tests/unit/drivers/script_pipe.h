/* SPDX-License-Identifier: MIT */
/*
 * A pipe that plays a script: each expected request brings its reply.  Time does not pass in it; a
 * read without bytes times out at once.
 */
#ifndef FOCUSD_SCRIPT_PIPE_H
#define FOCUSD_SCRIPT_PIPE_H

#include <stdbool.h>

#include "transport.h"

struct script_step {
	const char *request; /* NULL ends the script */
	const char *reply;   /* "" for silence; NULL: the device is gone from here on */
	const char *late;    /* comes when the next request has been sent; NULL for nothing */
};

struct script_pipe {
	struct transport base;
	const struct script_step *at;
	const char *late;
	char incoming[9000];
	size_t incoming_len;
	char written[2048];     /* everything that was sent, in order */
	size_t written_len;
	bool gone;
	bool strayed;           /* something was sent that the script does not have */
	int64_t last_wait_ms;   /* how far ahead the deadline of the last empty read was */
	int64_t longest_wait_ms;
	bool destroyed;
	bool hex;               /* texts are bytes in hexadecimal, "3B 03 20"; set after init */
	int baud;               /* what a driver must ask for; 0 = 9600; set after init */
	struct transport_settings opened; /* what it did ask for */
};

void script_pipe_init(struct script_pipe *script, const struct script_step *steps);

/* Bytes that come by themselves. */
void script_pipe_feed(struct script_pipe *script, const char *text);

/* True when the script was played to its end and nothing else was sent. */
bool script_pipe_done(const struct script_pipe *script);

/* For script_open.c: the pipe that transport_open() hands out. */
extern struct script_pipe script_pipe_next;

#endif
