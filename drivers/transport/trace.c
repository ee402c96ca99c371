/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

struct trace {
	struct transport base;
	struct transport *inner;
	trace_note note;
	void *ctx;
};

static struct trace *of(struct transport *t)
{
	return (struct trace *)t;
}

static enum err_code trace_write_all(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err)
{
	struct trace *trace = of(t);
	enum err_code code = trace->inner->ops->write_all(trace->inner, data, len, deadline_ms, err);
	if (code == ERR_OK) {
		trace->note(trace->ctx, '>', data, len);
	}
	return code;
}

static enum err_code trace_read_some(struct transport *t, void *out, size_t cap, size_t *got,
	int64_t deadline_ms, struct err *err)
{
	struct trace *trace = of(t);
	enum err_code code = trace->inner->ops->read_some(trace->inner, out, cap, got, deadline_ms,
		err);
	if (code == ERR_OK && *got > 0) {
		trace->note(trace->ctx, '<', out, *got);
	}
	return code;
}

static enum err_code trace_discard_input(struct transport *t, struct err *err)
{
	/* Old input is read and not just discarded, so that a transcript has what was thrown away.  The number of
	 * rounds is bounded: a device that never stops talking must not hold us here. */
	for (int i = 0; i < 256; i++) {
		char scrap[256];
		size_t got = 0;
		enum err_code code = trace_read_some(t, scrap, sizeof scrap, &got,
			clock_now_ms(clock_real()), NULL);
		if (code == ERR_TIMEOUT) {
			return ERR_OK;
		}
		if (code != ERR_OK) {
			return err_set(err, code, "%s is gone", t->ops->describe(t));
		}
	}
	return ERR_OK;
}

static enum err_code trace_set_lines(struct transport *t, bool dtr, bool rts, struct err *err)
{
	struct trace *trace = of(t);
	return trace->inner->ops->set_lines(trace->inner, dtr, rts, err);
}

static enum err_code trace_read_cts(struct transport *t, bool *up, struct err *err)
{
	struct trace *trace = of(t);
	if (trace->inner->ops->read_cts == NULL) {
		*up = true;
		return ERR_OK;
	}
	return trace->inner->ops->read_cts(trace->inner, up, err);
}

static enum err_code trace_drain(struct transport *t, int64_t deadline_ms, struct err *err)
{
	struct trace *trace = of(t);
	return trace->inner->ops->drain == NULL
		       ? ERR_OK
		       : trace->inner->ops->drain(trace->inner, deadline_ms, err);
}

static const char *trace_describe(struct transport *t)
{
	struct trace *trace = of(t);
	return trace->inner->ops->describe(trace->inner);
}

static void trace_destroy(struct transport *t)
{
	struct trace *trace = of(t);
	trace->inner->ops->destroy(trace->inner);
	free(trace);
}

static const struct transport_ops trace_ops = {
	.name = "trace",
	.write_all = trace_write_all,
	.read_some = trace_read_some,
	.discard_input = trace_discard_input,
	.set_lines = trace_set_lines,
	.read_cts = trace_read_cts,
	.drain = trace_drain,
	.describe = trace_describe,
	.destroy = trace_destroy,
};

struct transport *trace_wrap(struct transport *inner, trace_note note, void *ctx)
{
	struct trace *trace = calloc(1, sizeof *trace);
	if (trace == NULL) {
		return inner;
	}
	trace->base.ops = &trace_ops;
	trace->inner = inner;
	trace->note = note;
	trace->ctx = ctx;
	return &trace->base;
}

static void note_for_host(void *ctx, char direction, const void *data, size_t len)
{
	const struct driver_host *host = ctx;
	trace_to_log((void *)(uintptr_t)host->source, direction, data, len);
	if (host->note != NULL) {
		host->note(host->note_ctx, direction, data, len);
	}
}

struct transport *trace_host(struct transport *inner, const struct driver_host *host)
{
	/* The cast is safe, because the note does not write to what ctx points to. */
	return trace_wrap(inner, note_for_host, (void *)(uintptr_t)host);
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7F && c != '\\';
}

static size_t escaped_len(uint8_t c)
{
	return is_plain(c) ? 1 : c == '\\' ? 2 : 4;
}

void trace_escape(char *out, size_t cap, const void *data, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const uint8_t *in = data;
	size_t whole = 0;
	for (size_t i = 0; i < len; i++) {
		whole += escaped_len(in[i]);
	}
	size_t room = whole < cap ? cap : cap - 3;
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (n + escaped_len(in[i]) >= room) {
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		if (is_plain(in[i])) {
			out[n++] = (char)in[i];
			continue;
		}
		out[n++] = '\\';
		if (in[i] == '\\') {
			out[n++] = '\\';
			continue;
		}
		out[n++] = 'x';
		out[n++] = hex[in[i] >> 4];
		out[n++] = hex[in[i] & 15];
	}
	out[n] = '\0';
}

void trace_to_log(void *ctx, char direction, const void *data, size_t len)
{
	if (!log_enabled(LOG_TRACE)) {
		return;
	}
	char text[600];
	trace_escape(text, sizeof text, data, len);
	log_trace(ctx, "%c %s", direction, text);
}
