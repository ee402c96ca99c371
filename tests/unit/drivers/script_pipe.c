/* SPDX-License-Identifier: MIT */
#include "script_pipe.h"

#include <string.h>

#include "clock.h"

struct script_pipe script_pipe_next;

/* The bytes of a step's text; out has room for as many as the text has characters. */
static size_t bytes_of(const struct script_pipe *script, const char *text, char *out)
{
	size_t n = 0;
	if (!script->hex) {
		n = strlen(text);
		memcpy(out, text, n);
		return n;
	}
	static const char digits[] = "0123456789ABCDEF";
	for (; *text != '\0'; text++) {
		if (*text != ' ') {
			out[n++] = (char)((strchr(digits, text[0]) - digits) * 16 + (strchr(digits, text[1]) - digits));
			text++;
		}
	}
	return n;
}

void script_pipe_feed(struct script_pipe *script, const char *text)
{
	char bytes[512];
	size_t len = bytes_of(script, text, bytes);
	if (len > sizeof script->incoming - script->incoming_len) {
		len = sizeof script->incoming - script->incoming_len;
	}
	memcpy(script->incoming + script->incoming_len, bytes, len);
	script->incoming_len += len;
}

static enum err_code write_all(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err)
{
	struct script_pipe *script = (struct script_pipe *)t;
	(void)deadline_ms;
	if (script->gone) {
		return err_set(err, ERR_IO, "script is gone");
	}
	if (len < sizeof script->written - script->written_len) {
		memcpy(script->written + script->written_len, data, len);
		script->written_len += len;
	}
	if (script->late != NULL) {
		script_pipe_feed(script, script->late);
		script->late = NULL;
	}
	const struct script_step *step = script->at;
	if (step == NULL || step->request == NULL) {
		script->strayed = true;
		return ERR_OK;
	}
	char wanted[512];
	if (bytes_of(script, step->request, wanted) != len || memcmp(wanted, data, len) != 0) {
		script->strayed = true;
		return ERR_OK;
	}
	script->at++;
	if (step->reply == NULL) {
		script->gone = true;
	} else {
		script_pipe_feed(script, step->reply);
	}
	script->late = step->late;
	return ERR_OK;
}

static enum err_code read_some(struct transport *t, void *out, size_t cap, size_t *got,
	int64_t deadline_ms, struct err *err)
{
	struct script_pipe *script = (struct script_pipe *)t;
	*got = 0;
	if (script->incoming_len == 0) {
		if (script->gone) {
			return err_set(err, ERR_IO, "script is gone");
		}
		script->last_wait_ms = deadline_ms - clock_now_ms(clock_real());
		if (script->last_wait_ms > script->longest_wait_ms) {
			script->longest_wait_ms = script->last_wait_ms;
		}
		return err_set(err, ERR_TIMEOUT, "script is silent");
	}
	size_t n = cap < script->incoming_len ? cap : script->incoming_len;
	memcpy(out, script->incoming, n);
	memmove(script->incoming, script->incoming + n, script->incoming_len - n);
	script->incoming_len -= n;
	*got = n;
	return ERR_OK;
}

static enum err_code discard_input(struct transport *t, struct err *err)
{
	struct script_pipe *script = (struct script_pipe *)t;
	script->incoming_len = 0;
	return script->gone ? err_set(err, ERR_IO, "script is gone") : ERR_OK;
}

static enum err_code set_lines(struct transport *t, bool dtr, bool rts, struct err *err)
{
	(void)t;
	(void)dtr;
	(void)rts;
	(void)err;
	return ERR_OK;
}

static const char *describe(struct transport *t)
{
	(void)t;
	return "script";
}

static void destroy(struct transport *t)
{
	struct script_pipe *script = (struct script_pipe *)t;
	script->destroyed = true;
}

static const struct transport_ops script_ops = {
	.name = "script",
	.write_all = write_all,
	.read_some = read_some,
	.discard_input = discard_input,
	.set_lines = set_lines,
	.describe = describe,
	.destroy = destroy,
};

void script_pipe_init(struct script_pipe *script, const struct script_step *steps)
{
	memset(script, 0, sizeof *script);
	script->base.ops = &script_ops;
	script->at = steps;
}

bool script_pipe_done(const struct script_pipe *script)
{
	return !script->strayed && (script->at == NULL || script->at->request == NULL);
}
