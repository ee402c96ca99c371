/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

int64_t bench_now_ms(void)
{
	return clock_now_ms(clock_real());
}

void bench_fail(const struct bench *b, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s with \"%s\" (quirks \"%s\"): %s\n", b->row->driver, b->faults, b->port.quirks,
		text);
	abort();
}

const struct emulator_kind *bench_kind(const struct contract_row *row)
{
	for (int i = 0; emulator_kinds[i] != NULL; i++) {
		if (strcmp(emulator_kinds[i]->name, row->kind) == 0) {
			return emulator_kinds[i];
		}
	}
	return NULL;
}

bool bench_kind_has(const struct emulator_kind *kind, const char *fault)
{
	struct emulator_settings settings;
	emulator_defaults(kind, &settings);
	settings.faults[settings.fault_count++] = fault;
	return emulator_check(kind, &settings, NULL) == ERR_OK;
}

static bool is_urgent(void *ctx)
{
	struct bench *b = ctx;
	int calm = atomic_load(&b->calm);
	if (calm > 0) {
		atomic_store(&b->calm, calm - 1);
	}
	return calm == 0;
}

void bench_open(struct bench *b, const struct contract_row *row, const char *faults, const char *quirks,
	double factor, const char *link)
{
	memset(b, 0, sizeof *b);
	b->row = row;
	b->driver = focuser_driver_find(row->driver);
	b->kind = bench_kind(row);
	atomic_store(&b->calm, -1);
	snprintf(b->faults, sizeof b->faults, "%s", faults);
	snprintf(b->fault_words, sizeof b->fault_words, "%s", faults);
	snprintf(b->port.quirks, sizeof b->port.quirks, "%s", quirks);
	struct emulator_settings settings;
	emulator_defaults(b->kind, &settings);
	settings.position = HOME;
	settings.time_factor = factor;
	settings.temperature_c = CELSIUS;
	char *save = NULL;
	for (char *word = strtok_r(b->fault_words, " ", &save); word != NULL;
		word = strtok_r(NULL, " ", &save)) {
		settings.faults[settings.fault_count++] = word;
	}
	emulator_thread_start(&b->emulator, b->kind, &settings, link);
	b->host.clock = clock_real();
	b->host.source = "focuser.0";
	b->host.urgent = is_urgent;
	b->host.urgent_ctx = b;
	snprintf(b->port.port, sizeof b->port.port, "%s",
		link != NULL ? link : emulator_path(b->emulator.emulator));
	b->ctx = calloc(1, b->driver->ctx_size);
	CHECK(b, b->ctx != NULL);
	struct err err = {.text = ""};
	if (b->driver->open(b->ctx, &b->port, &b->host, &err) != ERR_OK) {
		bench_fail(b, "open: %s", err.text);
	}
}

void bench_close(struct bench *b)
{
	b->driver->close(b->ctx);
	free(b->ctx);
	emulator_thread_stop(&b->emulator);
}

void bench_reopen(struct bench *b)
{
	b->driver->close(b->ctx);
	memset(b->ctx, 0, b->driver->ctx_size);
	struct err err = {.text = ""};
	enum err_code code;
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	do {
		code = b->driver->open(b->ctx, &b->port, &b->host, &err);
	} while (code == ERR_IO && bench_now_ms() < deadline_ms);
	if (code != ERR_OK) {
		bench_fail(b, "open again: %s", err.text);
	}
}

void bench_identify(struct bench *b)
{
	struct err err = {.text = ""};
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	while (bench_now_ms() < deadline_ms) {
		enum err_code code = b->driver->identify(b->ctx, &b->caps, &err);
		if (code == ERR_OK) {
			CHECK(b, b->caps.max_step > 0 && b->caps.max_increment > 0);
			CHECK(b, b->caps.max_increment <= b->caps.max_step && b->caps.identity[0] != '\0');
			return;
		}
		if (code != ERR_TIMEOUT && code != ERR_PROTOCOL) {
			bench_fail(b, "identify: %s: %s", err_name(code), err.text);
		}
		CHECK(b, err.text[0] != '\0');
	}
	bench_fail(b, "never identified: %s", err.text);
}

enum err_code bench_poll(struct bench *b, unsigned want, struct focuser_reading *out)
{
	/* A poll that fails leaves the reading alone. */
	const struct focuser_reading before = {.position = -77};
	struct err err = {.text = ""};
	memcpy(out, &before, sizeof before);
	enum err_code code = b->driver->poll(b->ctx, want, out, &err);
	if (code != ERR_OK) {
		CHECK(b, memcmp((const char *)out, (const char *)&before, sizeof before) == 0);
		CHECK(b, err.code == code && err.text[0] != '\0');
		b->misses++;
	} else {
		b->was_reset |= out->reset_seen;
	}
	return code;
}

struct focuser_reading bench_wait(struct bench *b, bool moving)
{
	struct focuser_reading reading;
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	while (bench_now_ms() < deadline_ms) {
		enum err_code code = bench_poll(b, FOCUSER_WANT_MOTION, &reading);
		CHECK(b, code == ERR_OK || code == ERR_TIMEOUT || code == ERR_PROTOCOL);
		if (code == ERR_OK && reading.moving == moving) {
			CHECK(b, reading.moving_valid && reading.position_valid);
			return reading;
		}
	}
	bench_fail(b, "never %s", moving ? "moved" : "came to rest");
}

void bench_start(struct bench *b, int32_t target)
{
	struct err err = {.text = ""};
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	enum err_code code;
	/* As core does when a start is not answered. */
	do {
		code = b->driver->start_move(b->ctx, target, &err);
	} while ((code == ERR_TIMEOUT || code == ERR_PROTOCOL) && bench_now_ms() < deadline_ms);
	if (code != ERR_OK) {
		bench_fail(b, "start_move(%d): %s", (int)target, err.text);
	}
}

void bench_arrive(struct bench *b, int32_t from, int32_t target)
{
	int32_t low = from < target ? from : target;
	int32_t high = from < target ? target : from;
	int32_t last = from;
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	while (bench_now_ms() < deadline_ms) {
		struct focuser_reading reading;
		enum err_code code = bench_poll(b, FOCUSER_WANT_MOTION, &reading);
		CHECK(b, code == ERR_OK || code == ERR_TIMEOUT || code == ERR_PROTOCOL);
		if (code != ERR_OK) {
			continue;
		}
		if (reading.position < low || reading.position > high ||
			(from < target ? reading.position < last : reading.position > last)) {
			bench_fail(b, "says %d on the way from %d to %d, after %d", (int)reading.position,
				(int)from, (int)target, (int)last);
		}
		last = reading.position;
		if (!reading.moving && reading.position == target) {
			return;
		}
	}
	bench_fail(b, "never at %d, but at %d", (int)target, (int)last);
}

size_t bench_sent(struct bench *b)
{
	char text[sizeof b->emulator.sent + 1];
	return emulator_thread_take(&b->emulator, text, sizeof text);
}
