/* SPDX-License-Identifier: MIT */
/*
 * A pipe around a pipe that lets somebody see every byte: the log, a transcript, a test.
 */
#ifndef FOCUSD_TRACE_H
#define FOCUSD_TRACE_H

#include <stddef.h>

#include "driver_host.h"
#include "transport.h"

/* Called for all bytes that went out ('>') or came in ('<'), on the thread of the pipe. */
typedef void (*trace_note)(void *ctx, char direction, const void *data, size_t len);

/* Wraps inner, which it takes: destroying the wrapper destroys inner.  Everything passes through
 * unchanged.  On failure (out of memory) returns inner itself, so that a device works untraced. */
struct transport *trace_wrap(struct transport *inner, trace_note note, void *ctx);

/* What every driver wraps its pipe in, right after opening it: the bytes are logged at trace level
 * and kept in the host's transcript.  host must outlive the pipe. */
struct transport *trace_host(struct transport *inner, const struct driver_host *host);

/* A note that logs at trace level, one line a chunk: "> :GP#", bytes outside ASCII as \xNN.  ctx is
 * the source name (const char *), which must outlive the pipe. */
void trace_to_log(void *ctx, char direction, const void *data, size_t len);

/* Writes bytes for people: printable ASCII as it is, '\' doubled, the rest as \xNN; cut with "..."
 * when it does not fit.  cap must be at least 8. */
void trace_escape(char *out, size_t cap, const void *data, size_t len);

#endif
