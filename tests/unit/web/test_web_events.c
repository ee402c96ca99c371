/* SPDX-License-Identifier: MIT */
/* /events: framing as in the HTML Living Standard, "Server-sent events"; what is sent and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_core.h"
#include "json.h"
#include "web_private.h"

static struct web *web;
static struct reply stream;
static struct buf text;

static int setup(void **state)
{
	(void)state;
	fake_setup();
	web = web_create(&fake.served);
	web->clock = clock_create_fake();
	web_set_server(web, fake_server());
	buf_init(&text, 1024 * 1024);
	stream = fake_get(web, "/events");
	return stream.res.stream.read == NULL;
}

static int teardown(void **state)
{
	(void)state;
	fake_reply_free(&stream);
	clock_destroy(web->clock);
	web_destroy(web);
	buf_fini(&text);
	fake_teardown();
	return 0;
}

/* Reads until LATER, in bites of max bytes; text holds what came.  Returns what read said last. */
static ssize_t drain(size_t max)
{
	char bite[4096];
	uint64_t pos = 0;
	ssize_t n;
	buf_clear(&text);
	while ((n = stream.res.stream.read(stream.res.stream.arg, pos, bite, max)) > 0) {
		assert_true((size_t)n <= max);
		buf_add(&text, bite, (size_t)n);
		pos += (uint64_t)n;
	}
	return n;
}

/* How many events of this name text holds; *data gets the last one's data line (freed by the
 * caller through json_free). */
static int count(const char *name, struct json **data)
{
	char start[64];
	snprintf(start, sizeof start, "event: %s\n", name);
	int found = 0;
	const char *p = buf_text(&text);
	while ((p = strstr(p, start)) != NULL) {
		p += strlen(start);
		found++;
		if (data != NULL) {
			const char *line = strstr(p, "data: ") + 6;
			struct err err;
			json_free(*data);
			*data = json_parse((struct span){line, strcspn(line, "\n")}, &err);
			assert_non_null(*data);
		}
	}
	return found;
}

static const struct json *device_at(const struct json *all, int i)
{
	const char *name;
	const struct json *value;
	assert_true(json_member(json_get(all, "devices"), i, &name, &value));
	return value;
}

static void snapshot_first(void **state)
{
	(void)state;
	fake.run = fake_run(7);
	assert_string_equal(stream.res.content_type, "text/event-stream");
	assert_int_equal(drain(4096), HTTP_STREAM_LATER);
	struct json *all = NULL;
	assert_int_equal(count("state", &all), 1);
	assert_int_equal(count("run", NULL), 1);
	assert_int_equal(count("focuser", NULL), 0);
	assert_non_null(strstr(buf_text(&text), "\nid: 1\n"));
	assert_string_equal(buf_text(&text) + text.len - 2, "\n\n");
	const struct json *focuser = device_at(all, 0);
	const char *word = NULL;
	int32_t number = -1;
	bool flag = true;
	assert_true(json_as_string(json_get(focuser, "type"), &word));
	assert_string_equal(word, "focuser");
	assert_true(json_as_string(json_get(focuser, "link"), &word));
	assert_string_equal(word, "down");
	assert_true(json_as_bool(json_get(focuser, "moving"), &flag) && !flag);
	assert_true(json_as_i32(json_get(focuser, "number"), &number) && number == 0);
	/* What is not known is null, not 0. */
	static const char *const unknown[] = {"position", "target", "motor_position", "position_age_s",
		"temperature_c", "max_step", "step_size_um", "run", "leased_to_run", "last_failure",
		"clamped", "numbering"};
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		double value;
		assert_non_null(json_get(focuser, unknown[i]));
		assert_false(json_as_double(json_get(focuser, unknown[i]), &value));
		assert_false(json_as_string(json_get(focuser, unknown[i]), &word));
	}
	json_free(all);
	assert_int_equal(drain(4096), HTTP_STREAM_LATER);
	assert_int_equal(text.len, 0);
}

static void known_values(void **state)
{
	(void)state;
	struct focuser_state *s = &fake.focuser.focuser;
	*s = (struct focuser_state){.link = LINK_UP, .is_moving = true, .position_valid = true,
		.position = 12000, .motor_position = 12003, .target = 12500, .position_age_ms = 250,
		.temperature_valid = true, .temperature_c = -3.5, .max_step = 65535, .step_size_um = 1.25,
		.trust = POSITION_SHIFTED, .leased_to_run = 9, .approach = MOVES_APPROACH_IN, .clamped = true,
		.asked = -10, .numbering = {.known = true, .reversed = true, .low = 2000, .high = 40000}};
	fake.running = 9;
	drain(4096);
	struct json *all = NULL;
	count("state", &all);
	const struct json *focuser = device_at(all, 0);
	static const struct {
		const char *key;
		double value;
	} rows[] = {{"position", 12000}, {"motor_position", 12003}, {"target", 12500},
		{"position_age_s", 0.25}, {"temperature_c", -3.5}, {"max_step", 65535},
		{"step_size_um", 1.25}, {"leased_to_run", 9}, {"run", 9}, {"min_step", 0}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double value = NAN;
		assert_true(json_as_double(json_get(focuser, rows[i].key), &value));
		assert_true(value == rows[i].value);
	}
	int32_t asked = 0;
	int32_t to = 0;
	assert_true(json_as_i32(json_get(json_get(focuser, "clamped"), "asked"), &asked));
	assert_true(json_as_i32(json_get(json_get(focuser, "clamped"), "to"), &to));
	assert_true(asked == -10 && to == 12500);
	const struct json *numbering = json_get(focuser, "numbering");
	bool reversed = false;
	assert_true(json_as_i32(json_get(numbering, "low"), &asked) && asked == 2000);
	assert_true(json_as_i32(json_get(numbering, "high"), &to) && to == 40000);
	assert_true(json_as_bool(json_get(numbering, "reversed"), &reversed) && reversed);
	const char *word = NULL;
	assert_true(json_as_string(json_get(focuser, "trust"), &word));
	assert_string_equal(word, "shifted");
	assert_true(json_as_string(json_get(focuser, "approach"), &word));
	assert_string_equal(word, "in");
	json_free(all);
}

static void only_what_changed(void **state)
{
	(void)state;
	drain(4096);
	clock_fake_advance(web->clock, 1000);
	fake.news = 5;
	fake.focuser.version++;
	assert_int_equal(drain(4096), HTTP_STREAM_LATER);
	assert_int_equal(count("focuser", NULL), 1);
	assert_int_equal(count("camera", NULL), 0);
	assert_int_equal(count("state", NULL), 0);
	assert_int_equal(count("run", NULL), 0);
	assert_non_null(strstr(buf_text(&text), "\nid: 5\n"));
	clock_fake_advance(web->clock, 1000);
	fake.camera.version++;
	drain(4096);
	assert_int_equal(count("focuser", NULL), 0);
	assert_int_equal(count("camera", NULL), 1);
	/* A run's news come with its focuser's state, which says whose run it is. */
	clock_fake_advance(web->clock, 1000);
	fake.run = fake_run(12);
	fake.run_version++;
	drain(4096);
	struct json *run = NULL;
	int32_t id = 0;
	assert_int_equal(count("focuser", NULL), 1);
	assert_int_equal(count("run", &run), 1);
	assert_true(json_as_i32(json_get(run, "run"), &id) && id == 12);
	json_free(run);
}

/* At most one batch in 100 ms, and the last state is not lost. */
static void paced(void **state)
{
	(void)state;
	drain(4096);
	int batches = 0;
	for (int ms = 0; ms < 1000; ms += 10) {
		clock_fake_advance(web->clock, 10);
		fake.focuser.version++;
		fake.focuser.focuser.position++;
		drain(4096);
		batches += count("focuser", NULL);
	}
	assert_int_equal(batches, 10);
	fake.focuser.version++;
	drain(4096);
	assert_int_equal(text.len, 0);
	clock_fake_advance(web->clock, 100);
	drain(4096);
	assert_int_equal(count("focuser", NULL), 1);
}

static void alive_when_quiet(void **state)
{
	(void)state;
	drain(4096);
	clock_fake_advance(web->clock, 4999);
	drain(4096);
	assert_int_equal(text.len, 0);
	clock_fake_advance(web->clock, 1);
	assert_int_equal(drain(4096), HTTP_STREAM_LATER);
	assert_memory_equal(buf_text(&text), ": alive\n", 8);
	assert_int_equal(count("alive", NULL), 1);
	/* The server asks at least that often. */
	assert_true(stream.res.stream.wake_ms > 0 && stream.res.stream.wake_ms <= 15000);
}

/* The bytes are the same in whatever bites they are taken. */
static void small_bites(void **state)
{
	(void)state;
	fake.run = fake_run(7);
	drain(4096);
	char *whole = strdup(buf_text(&text));
	fake_reply_free(&stream);
	stream = fake_get(web, "/events");
	drain(7);
	/* The time of day of the snapshot differs. */
	char *a = strstr(whole, "\"now\":");
	const char *b = strstr(buf_text(&text), "\"now\":");
	assert_non_null(a);
	assert_int_equal(a - whole, b - buf_text(&text));
	assert_memory_equal(whole, buf_text(&text), (size_t)(a - whole));
	assert_string_equal(strchr(a, ','), strchr(b, ','));
	free(whole);
}

/* A name with a line break must not end an event. */
static void no_line_breaks(void **state)
{
	(void)state;
	snprintf(fake.focuser.info.name, sizeof fake.focuser.info.name, "a\n\nevent: run\ndata: x");
	drain(4096);
	struct json *all = NULL;
	assert_int_equal(count("state", &all), 1);
	assert_int_equal(count("run", NULL), 0);
	json_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(snapshot_first, setup, teardown),
		cmocka_unit_test_setup_teardown(known_values, setup, teardown),
		cmocka_unit_test_setup_teardown(only_what_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(paced, setup, teardown),
		cmocka_unit_test_setup_teardown(alive_when_quiet, setup, teardown),
		cmocka_unit_test_setup_teardown(small_bites, setup, teardown),
		cmocka_unit_test_setup_teardown(no_line_breaks, setup, teardown),
	};
	return cmocka_run_group_tests_name("web events", tests, NULL, NULL);
}
