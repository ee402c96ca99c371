/* SPDX-License-Identifier: MIT */
/* What is remembered of a focuser's port, what another answer means, and what plug events do to the
 * link's next try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device_private.h"
#include "port.h"
#include "focuser_private.h"

static char dir[64];
static struct store *files; /* whoever writes for the focuser */
static struct ports_roots fake_roots = {.sys = "/nonexistent", .dev = dir, .proc = "/nonexistent"};

/* In place of the real one. */
const struct ports_roots *ports_system(void)
{
	return &fake_roots;
}

static const struct focuser_driver driver = {.name = "some", .title = "Some", .uses_port = true};

struct fixture {
	struct device dev;
	struct focuser_core focuser;
	struct config_focuser cfg;
};

static void begin(struct fixture *f, const char *port)
{
	memset(f, 0, sizeof *f);
	device_init(&f->dev);
	snprintf(f->dev.info.source, sizeof f->dev.info.source, "focuser.0");
	f->dev.core = &f->focuser;
	f->dev.clock = clock_real();
	f->dev.host.state_dir = dir;
	f->dev.needs.store = files;
	f->focuser.driver = &driver;
	f->focuser.cfg = &f->cfg;
	snprintf(f->cfg.port.port, sizeof f->cfg.port.port, "%s", port);
}

static struct fixture *fresh(const char *port)
{
	struct fixture *f = malloc(sizeof *f);
	assert_non_null(f);
	begin(f, port);
	return f;
}

static void end(struct fixture *f)
{
	store_flush(files);
	device_fini(&f->dev);
	free(f);
}

/* Opens a link and says what answers there. */
static enum err_code answers(struct fixture *f, bool again, const char *identity, bool partial, struct err *err)
{
	struct focuser_port port;
	assert_int_equal(port_choose(&f->dev, again, &port, err), ERR_OK);
	assert_string_equal(port.port, f->cfg.port.port);
	struct focuser_caps caps = {.identity_partial = partial};
	snprintf(caps.identity, sizeof caps.identity, "%s", identity);
	return port_verify(&f->dev, again, &caps, err);
}

static void test_another_answer(void **state)
{
	(void)state;
	struct err err = {.text = ""};
	struct fixture *f = fresh("/dev/pts/98765");
	assert_int_equal(answers(f, false, "Focuser 1.0", false, &err), ERR_OK);
	assert_int_equal(answers(f, true, "Focuser 1.0", false, &err), ERR_OK);
	assert_int_equal(answers(f, true, "Focuser 2.0", false, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.text, "another device answers: 'Focuser 2.0', not 'Focuser 1.0'"));
	/* A device that did not tell its version this time is not compared, and changes nothing. */
	assert_int_equal(answers(f, true, "Focuser", true, &err), ERR_OK);
	assert_int_equal(answers(f, true, "Focuser 2.0", false, &err), ERR_PROTOCOL);
	assert_int_equal(answers(f, true, "Focuser 1.0", false, &err), ERR_OK);
	end(f);
	/* After a restart the same difference is only a warning, and then the new truth. */
	f = fresh("/dev/pts/98765");
	assert_int_equal(answers(f, false, "Focuser 2.0", false, &err), ERR_OK);
	assert_int_equal(answers(f, true, "Focuser 1.0", false, &err), ERR_PROTOCOL);
	end(f);
	/* With another port name in the configuration nothing is compared. */
	f = fresh("/dev/pts/98766");
	assert_int_equal(answers(f, false, "Focuser 3.0", false, &err), ERR_OK);
	assert_int_equal(answers(f, true, "Focuser 3.0", false, &err), ERR_OK);
	end(f);
}

static void test_a_damaged_memory_is_learned_anew(void **state)
{
	(void)state;
	static const char *const damaged[] = {"", "{", "[]", "7", "{\"vid\": \"x\", \"configured\": 1}",
		"{\"vid\": 99999, \"interface\": -5, \"alone\": \"yes\"}"};
	char path[128];
	snprintf(path, sizeof path, "%s/port-0.json", dir);
	for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		fputs(damaged[i], file);
		assert_int_equal(fclose(file), 0);
		struct fixture *f = fresh("/dev/pts/98765");
		struct err err;
		assert_int_equal(answers(f, false, "Focuser 1.0", false, &err), ERR_OK);
		end(f);
		f = fresh("/dev/pts/98765");
		assert_int_equal(answers(f, false, "Focuser 1.0", false, &err), ERR_OK);
		assert_string_equal(f->focuser.book.known.answer, "Focuser 1.0");
		end(f);
	}
	/* Those that are no record at all are kept for a person; the last two have values that do not count. */
	for (int n = 1; n <= 5; n++) {
		snprintf(path, sizeof path, "%s/port-0.json.damaged-%d", dir, n);
		assert_int_equal(unlink(path), n <= 4 ? 0 : -1);
	}
}

static void test_a_port_that_came(void **state)
{
	(void)state;
	const struct {
		enum device_link link;
		bool keep_trying, opened, hurries;
	} rows[] = {
		{LINK_LOST, false, false, true},
		{LINK_LOST, false, true, false}, /* open, waiting for the controller to boot */
		{LINK_DOWN, true, false, true},
		{LINK_DOWN, false, false, false},
		{LINK_UP, true, true, false},
		{LINK_CLOSING, true, false, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture *f = fresh("/dev/pts/98765");
		f->dev.link = rows[i].link;
		f->dev.keep_trying = rows[i].keep_trying;
		f->dev.opened = rows[i].opened;
		f->dev.next_try_ms = CLOCK_NEVER;
		f->dev.relink_backoff_ms = 5000;
		f->dev.woken = false;
		port_came(&f->dev);
		assert_int_equal(f->dev.next_try_ms, rows[i].hurries ? 0 : CLOCK_NEVER);
		assert_int_equal(f->dev.relink_backoff_ms, rows[i].hurries ? 0 : 5000);
		assert_int_equal(f->dev.woken, rows[i].hurries);
		end(f);
	}
}

static void test_a_port_that_went(void **state)
{
	(void)state;
	char node[128];
	snprintf(node, sizeof node, "%s/ttyUSB0", dir);
	struct fixture *f = fresh(node);
	f->dev.link = LINK_UP;
	snprintf(f->dev.tty, sizeof f->dev.tty, "ttyUSB0");
	port_went(&f->dev, "ttyUSB1");
	assert_false(f->dev.pulled);
	/* The news is old: the device is there again. */
	FILE *file = fopen(node, "we");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	port_went(&f->dev, "ttyUSB0");
	assert_false(f->dev.pulled);
	assert_int_equal(unlink(node), 0);
	f->dev.link = LINK_LOST;
	port_went(&f->dev, "ttyUSB0");
	assert_false(f->dev.pulled);
	f->dev.link = LINK_UP;
	port_went(&f->dev, "ttyUSB0");
	assert_true(f->dev.pulled);
	assert_true(atomic_load(&f->dev.urgent));
	end(f);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/port-XXXXXX");
	return mkdtemp(dir) != NULL && store_open(dir, NULL, NULL, &files, NULL) == ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	char path[128];
	store_close(files);
	snprintf(path, sizeof path, "%s/port-0.json", dir);
	(void)unlink(path);
	snprintf(path, sizeof path, "%s/focusd.db", dir);
	(void)unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_another_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_damaged_memory_is_learned_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_port_that_came, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_port_that_went, set_up, tear_down),
	};
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
