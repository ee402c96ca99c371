/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve_options.h"

static enum err_code parse(const char *const *args, struct serve_options *out, struct err *err)
{
	char *argv[32] = {NULL};
	int argc = 0;
	for (; args[argc] != NULL; argc++) {
		memcpy(&argv[argc], &args[argc],
			sizeof argv[argc]); /* getopt wants them not const */
	}
	return serve_options_parse(argc, argv, out, err);
}

static void test_nothing(void **state)
{
	(void)state;
	struct serve_options o;
	assert_int_equal(parse((const char *const[]){"serve", NULL}, &o, NULL), ERR_OK);
	assert_null(o.config);
	assert_null(o.bind);
	assert_true(o.port == -1 && o.discovery_port == -1 && isnan(o.time_factor));
	assert_false(o.simulate || o.check || o.has_seed || o.has_log_level || o.help || o.version);
}

static void test_everything(void **state)
{
	(void)state;
	struct serve_options o;
	const char *const argv[] = {"focusd", "--simulate", "--config", "a.conf", "--bind=::1",
		"--port", "0", "--discovery-port=0", "--state-dir", "/s", "--ready-file", "/r",
		"--log-level", "trace", "--seed", "4294967295", "--time-factor", "2.5", "--check",
		NULL};
	assert_int_equal(parse(argv, &o, NULL), ERR_OK);
	assert_string_equal(o.config, "a.conf");
	assert_string_equal(o.bind, "::1");
	assert_string_equal(o.state_dir, "/s");
	assert_string_equal(o.ready_file, "/r");
	assert_true(o.port == 0 && o.discovery_port == 0 && o.time_factor == 2.5);
	assert_true(o.has_log_level && o.log_level == LOG_TRACE);
	assert_true(o.has_seed && o.seed == 4294967295u && o.simulate && o.check);
}

static void test_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *arg[2];
		const char *says;
	} cases[] = {
		{{"--port", "65536"}, "--port must be 0 to 65535, not '65536'"},
		{{"--port", "-1"}, "--port must be"},
		{{"--port", "80x"}, "--port must be"},
		{{"--port=", NULL}, "--port must be"},
		{{"--port", NULL}, "--port needs a value"},
		{{"-p", NULL}, "-p needs a value"},
		{{"--discovery-port", "x"}, "--discovery-port must be"},
		{{"--log-level", "loud"}, "--log-level must be error, warn"},
		{{"--seed", "-1"}, "--seed must be"},
		{{"--time-factor", "0"}, "--time-factor must be 0.01"},
		{{"--time-factor", "nan"}, "--time-factor must be 0.01"},
		{{"--nonsense", NULL}, "there is no option --nonsense"},
		{{"-x", NULL}, "there is no option -x"},
		{{"--simulate=yes", NULL}, "takes no value"},
		{{"surprise", NULL}, "'surprise' is not understood"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct serve_options o;
		struct err err = {0};
		const char *const argv[] = {"focusd", cases[i].arg[0], cases[i].arg[1], NULL};
		assert_int_equal(parse(argv, &o, &err), ERR_INVALID_VALUE);
		if (strstr(err.text, cases[i].says) == NULL) {
			fail_msg("'%s' is not in '%s'", cases[i].says, err.text);
		}
	}
}

static void test_help_fits_a_screen(void **state)
{
	(void)state;
	int lines = 0;
	for (const char *p = serve_help; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		assert_in_range(len, 0, 84);
		lines++;
		p += len + (p[len] == '\n');
	}
	assert_in_range(lines, 10, 24);
	assert_non_null(strstr(serve_version, FOCUSD_VERSION));
	assert_non_null(strstr(serve_version, "Argonne National Laboratory"));
	assert_non_null(strstr(serve_version, "Independent JPEG Group"));
	assert_non_null(strstr(serve_version, "Dan Vanderkam"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_help_fits_a_screen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
