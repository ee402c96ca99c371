/* SPDX-License-Identifier: MIT */
/* Expectations come from the documented sections, keys and defaults, see focusd.conf(5). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

/* Stand-ins for the parsers that run later: what begins with "bad" is wrong, what begins with "gone" is not there. */
static enum err_code read_text_of(const char *text, struct err *err)
{
	return strncmp(text, "bad", 3) == 0 ? err_set(err, ERR_INVALID_VALUE, "%s cannot be read", text) : ERR_OK;
}

static enum err_code look_at(const char *text, struct err *err)
{
	return strncmp(text, "gone", 4) == 0 ? err_set(err, ERR_IO, "%s is not there", text) : ERR_OK;
}

#define PARSERS .read_port = read_text_of, .look_port = look_at

/* Just enough drivers for the checks: names and what they need. */
static const struct config_driver focusers[] = {
	{.name = "simulator", .quirks = ""},
	{.name = "moonlite", .quirks = "even, odd", .uses_port = true, PARSERS},
	{.name = "many", .quirks = "", .uses_port = true, .uses_device = true, .finds_port = true,
		.has_tempcomp = true, PARSERS},
	{.name = NULL},
};
static const struct config_driver cameras[] = {
	{.name = "simulator", .quirks = ""},
	{.name = "replay", .quirks = "", .uses_path = true, .look_path = look_at},
	{.name = "wired", .quirks = "", .uses_port = true, PARSERS},
	{.name = "several", .quirks = "", .uses_device = true},
	{.name = NULL},
};

static void name_candidates(const char *driver, char *out, size_t cap)
{
	snprintf(out, cap, "port = /dev/of-%s", driver);
}
static const struct config_drivers drivers = {focusers, cameras, name_candidates, read_text_of, look_at};

static char folder[64];
static struct config config;
static struct buf errors;

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	buf_init(&errors, 65536);
	config_defaults(&config);
	return 0;
}

static void remove_file(const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	remove(path);
}

static int teardown(void **state)
{
	(void)state;
	static const char *const names[] = {"focusd.conf", "conf.d/10-a.conf", "conf.d/20-b.conf",
		"conf.d/30-c.conf~", "conf.d"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		remove_file(names[i]);
	}
	rmdir(folder);
	buf_fini(&errors);
	return 0;
}

static void write_file(const char *name, const char *text, size_t len)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

static enum err_code read_text(const char *text)
{
	char path[200];
	write_file("focusd.conf", text, strlen(text));
	snprintf(path, sizeof path, "%s/focusd.conf", folder);
	buf_clear(&errors);
	config_defaults(&config);
	return config_read(&config, path, &errors);
}

/* Whether errors has the line "folder/focusd.conf:LINE: ...part...". */
static void expect_error(int line, const char *part)
{
	char head[120];
	snprintf(head, sizeof head, "%s/focusd.conf:%d: ", folder, line);
	const char *at = strstr(buf_text(&errors), head);
	if (at == NULL) {
		fail_msg("no error for line %d in:\n%s", line, buf_text(&errors));
		return;
	}
	size_t len = strcspn(at, "\n");
	char *whole = strndup(at, len);
	if (strstr(whole, part) == NULL) {
		print_error("'%s' is not in '%s'\n", part, whole);
		free(whole);
		fail();
	}
	free(whole);
}

static int error_lines(void)
{
	int n = 0;
	for (const char *p = buf_text(&errors); *p != '\0'; p++) {
		n += *p == '\n';
	}
	return n;
}

static void test_defaults(void **state)
{
	(void)state;
	assert_string_equal(config.server.name, "focusd");
	assert_string_equal(config.server.bind, "");
	assert_int_equal(config.server.port, 11111);
	assert_int_equal(config.server.discovery_port, 32227);
	assert_int_equal(config.server.log_level, LOG_INFO);
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		const struct config_focuser *f = &config.focuser[n];
		assert_false(f->present);
		assert_int_equal(f->camera, n);
		assert_int_equal(f->min_step, 0);
		assert_int_equal(f->port.max_step, 0);
		assert_int_equal(f->port.baud, 0);
		assert_true(isnan(f->step_size_um));
		assert_int_equal(f->approach, CONFIG_APPROACH_UNSET);
		assert_int_equal(f->open_wait_ms, -1);
		assert_false(f->reverse || f->connect_at_start);
		assert_int_equal(f->temperature_source, CONFIG_TEMPERATURE_SELF);
		assert_true(isnan(config.camera[n].pixel_size_um));
		assert_true(isnan(config.telescope[n].focal_length_mm));
		assert_true(config.telescope[n].obstruction_mm == 0);
		assert_true(config.telescope[n].wavelength_um == 0.55);
	}
	assert_true(config.autofocus.exposure_s == 3);
	assert_int_equal(config.autofocus.points, 9);
	assert_true(config.autofocus.step == 0 && config.autofocus.max_radius_steps == 0);
	assert_int_equal(config.autofocus.binning, 0);
	assert_int_equal(config.autofocus.gain, -1);
	assert_true(config.autofocus.region == 1);
	assert_false(config.autofocus.save_frames);
	assert_true(config.autofocus.time_limit_s == 900);
	assert_true(isnan(config.simulator.best_position) && isnan(config.simulator.obstruction));
	assert_true(config.simulator.cloud == 0 && config.simulator.slip_steps == 0);
	assert_int_equal(config.simulator.stars, -1);
	assert_true(config.time_factor == 1);
}

static void test_reads_all_kinds(void **state)
{
	(void)state;
	assert_int_equal(
		read_text("\xEF\xBB\xBF# a comment\n"
			  "[server]\r\n"
			  "name = Pier 3 ; behind the shed\r\n"
			  "port=0\n"
			  "log_level = debug\n"
			  "; another\n"
			  "   # indented comments are harmless\n"
			  "\n"
			  "[focuser.3]\n"
			  "driver = moonlite\n"
			  "port = /dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1-if00-port0\n"
			  "connect = start\n"
			  "camera = 0\n"
			  "step_size_um = 1.5e0\n"
			  "approach = in\n"
			  "reverse = Yes\n"
			  "temperature_source = focuser.5\n"
			  "[camera.0]\n"
			  "driver: replay\n"
			  "path = /data/night = 2; c8\n"
			  "[autofocus]\npoints = 12\ngain = 0\n"
			  "[simulator]\ntime_factor = 50\nbest_position = 20123.5\n"),
		ERR_OK);
	assert_string_equal(buf_text(&errors), "");
	assert_string_equal(config.server.name, "Pier 3");
	assert_int_equal(config.server.port, 0);
	assert_int_equal(config.server.log_level, LOG_DEBUG);
	const struct config_focuser *f = &config.focuser[3];
	assert_true(f->present && f->connect_at_start && f->reverse);
	assert_false(config.focuser[0].present);
	assert_string_equal(
		f->port.port, "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1-if00-port0");
	assert_int_equal(f->camera, 0);
	assert_true(f->step_size_um == 1.5);
	assert_int_equal(f->approach, CONFIG_APPROACH_IN);
	assert_int_equal(f->temperature_source, CONFIG_TEMPERATURE_FOCUSER);
	assert_int_equal(f->temperature_focuser, 5);
	assert_string_equal(config.camera[0].driver, "replay");
	assert_string_equal(config.camera[0].port.path, "/data/night = 2; c8");
	assert_int_equal(config.autofocus.points, 12);
	assert_int_equal(config.autofocus.gain, 0);
	assert_true(config.time_factor == 50);
	assert_true(config.simulator.best_position == 20123.5);
}

/* Each line alone behind its section, so it is line 2. */
static void test_wrong_values(void **state)
{
	(void)state;
	static const struct {
		const char *section, *line, *says;
	} cases[] = {
		{"autofocus", "points = 3", "points must be 5 to 31 (odd or even), not 3"},
		{"autofocus", "points = 32", "points must be 5 to 31"},
		{"autofocus", "points = 99999999999", "points must be 5 to 31"},
		{"autofocus", "points = 7.5", "must be a whole number, not '7.5'"},
		{"autofocus", "points = nine", "must be a whole number"},
		{"autofocus", "points = 9 # nine", "a comment behind a value begins with ' ;'"},
		{"autofocus", "points =", "has no value"},
		{"autofocus", "region = 0", "region must be 0.05 to 1, not 0"},
		{"autofocus", "region = 1,0", "a decimal point"},
		{"autofocus", "exposure_s = nan", "must be a number"},
		{"autofocus", "exposure_s = 3s", "not '3s' (the unit is not written)"},
		{"autofocus", "exposure_s = \"3\"", "(it is written without quotes)"},
		{"focuser.0", "settle_ms = 500 ms", "not '500 ms' (the unit is not written)"},
		{"focuser.0", "max_step = 60,000", "not '60,000' (digits are not grouped)"},
		{"focuser.0", "max_step = 60 000", "not '60 000' (digits are not grouped)"},
		{"focuser.0", "max_step = 0xFFFF", "(it is written in decimal)"},
		{"focuser.0", "approach = 'in'", "(it is written without quotes)"},
		{"focuser.0", "backlash = 40", "did you mean 'backlash_steps'?"},
		{"focuser.0", "Driver = moonlite", "did you mean 'driver'?"},
		{"focuser.0", "name = a\rport = b", "a CR inside the line"},
		{"autofocus", "exposure_s = inf", "must be a number"},
		{"autofocus", "save_frames = 1", "save_frames must be yes or no, not '1'"},
		{"autofocus", "gain = -1", "gain must be 0 to"},
		{"autofocus", "pionts = 9", "no key 'pionts'; did you mean 'points'?"},
		{"autofocus", "zzzzzzzzz = 9", "[autofocus] has no key 'zzzzzzzzz'"},
		{"autofocus", "points 9", "neither 'key = value' nor '[section]'"},
		{"autofocus", "points ; = 9", "neither 'key = value' nor '[section]'"},
		{"autofocus", "  points = 9", "begins with a blank"},
		{"autofocus", "\tpoints = 9", "begins with a blank"},
		{"autofocus", "= 9", "no key ''"},
		{"server", "log_level = loud",
			"log_level must be error, warn, info, debug or trace"},
		{"server", "port = 65536", "port must be 0 to 65535, not 65536"},
		{"server", "port = -1", "port must be 0 to 65535, not -1"},
		{"server", "name = \xff\xfe", "not UTF-8"},
		{"server",
			"name = a\x01"
			"b",
			"control characters"},
		{"server",
			"name = 0123456789012345678901234567890123456789012345678901234567890123",
			"at most 63 bytes, not 64"},
		{"focuser.0", "temperature_source = focuser.8", "focuser.0 to focuser.7"},
		{"focuser.0", "temperature_source = file:/x", "action or none"},
		{"focuser.0", "connect = never", "connect must be demand or start"},
		{"focuser.0", "camera = 8", "camera must be 0 to 7, not 8"},
		{"focuser.0", "path = /x", "[focuser.N] has no key 'path'"},
		{"camera.7", "backlash_steps = 1", "[camera.N] has no key"},
		{"telescope.0", "aperture_mm = 0", "aperture_mm must be 1 to 100000, not 0"},
		{"simulator", "time_factor = 0", "time_factor must be 0.01 to 100000, not 0"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[400];
		snprintf(text, sizeof text, "[%s]\n%s\n", cases[i].section, cases[i].line);
		assert_int_equal(read_text(text), ERR_INVALID_VALUE);
		expect_error(2, cases[i].says);
		assert_int_equal(error_lines(), 1);
	}
}

static void test_wrong_sections(void **state)
{
	(void)state;
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"[focusers.0]", "there is no section [focusers.0]"},
		{"[focuser]", "there is no section [focuser]; did you mean [focuser.0]?"},
		{"[Focuser.3]", "did you mean [focuser.3]?"},
		{"[focuser3]", "did you mean [focuser.3]?"},
		{"[focuser 3]", "did you mean [focuser.3]?"},
		{"[focusser.2]", "did you mean [focuser.2]?"},
		{"[simulation]", "did you mean [simulator]?"},
		{"[mount.0]", "[mount.0]; there are server, focuser.N, camera.N, telescope.N, autofocus and simulator"},
		{"[focuser.8]", "must have a number from 0 to 7"},
		{"[focuser.]", "must have a number from 0 to 7"},
		{"[focuser.00]", "must have a number from 0 to 7"},
		{"[camera.x]", "must have a number from 0 to 7"},
		{"[server.0]", "there is no section [server.0]"},
		{"[Server]", "there is no section [Server]"},
		{"[server", "']' is missing"},
		{"[server] port = 3", "text behind"},
		{"[]", "there is no section []"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[200];
		/* The keys of a wrong section raise no errors of their own. */
		snprintf(text, sizeof text, "# first\n%s\nwhatever = 1\n", cases[i].line);
		assert_int_equal(read_text(text), ERR_INVALID_VALUE);
		expect_error(2, cases[i].says);
		assert_int_equal(error_lines(), 1);
	}
	assert_int_equal(read_text("port = 1\n[server]\n"), ERR_INVALID_VALUE);
	expect_error(1, "'port' stands before the first [section]");
}

static void test_all_errors_with_their_lines(void **state)
{
	(void)state;
	assert_int_equal(read_text("[server]\n"       /* 1 */
				   "port = x\n"       /* 2 */
				   "  indented = 1\n" /* 3 */
				   "name = ok\n"      /* 4 */
				   "[nowhere]\n"      /* 5 */
				   "key = 1\n"        /* 6 */
				   "[autofocus]\n"    /* 7 */
				   "points = 4\n"     /* 8 */
				   "points = 9\n"     /* 9 */
				   "rubbish\n"        /* 10 */
				   "step = -1"),      /* 11, without line end */
		ERR_INVALID_VALUE);
	expect_error(2, "whole number");
	expect_error(3, "begins with a blank");
	expect_error(5, "no section [nowhere]");
	expect_error(8, "points must be");
	expect_error(9, "points is given twice; the first is in line 8");
	expect_error(10, "neither");
	expect_error(11, "step must be 0 to");
	assert_int_equal(error_lines(), 7);
	assert_string_equal(config.server.name, "ok");
}

static void test_long_lines_and_bytes(void **state)
{
	(void)state;
	char text[600];
	/* 197 bytes fit into inih's line, 198 do not; neither may be split in two. */
	for (int len = 196; len <= 420; len += len == 198 ? 222 : 1) {
		snprintf(text, sizeof text, "[camera.0]\npath = %0*d\ndriver = replay\n", len - 7,
			7);
		enum err_code rc = read_text(text);
		if (len <= 197) {
			assert_int_equal(rc, ERR_OK);
			assert_int_equal(strlen(config.camera[0].port.path), (size_t)len - 7);
		} else {
			assert_int_equal(rc, ERR_INVALID_VALUE);
			expect_error(2, "longer than 197 bytes");
			assert_int_equal(error_lines(), 1);
		}
		assert_string_equal(config.camera[0].driver, "replay");
	}
	write_file("focusd.conf", "[server]\nname = a\0b\n", 20);
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.conf", folder);
	buf_clear(&errors);
	assert_int_equal(config_read(&config, path, &errors), ERR_INVALID_VALUE);
	expect_error(2, "NUL byte");
}

static void test_dropins(void **state)
{
	(void)state;
	char path[200];
	snprintf(path, sizeof path, "%s/conf.d", folder);
	assert_int_equal(mkdir(path, 0755), 0);
	static const char second[] = "[server]\nname = second\nlocation = from b\n";
	static const char first[] = "[server]\nname = first\nport = 4\n[autofocus]\npoints = 1\n";
	static const char backup[] = "[server]\nname = backup\n";
	write_file("conf.d/20-b.conf", second, sizeof second - 1);
	write_file("conf.d/10-a.conf", first, sizeof first - 1);
	write_file("conf.d/30-c.conf~", backup, sizeof backup - 1);
	assert_int_equal(read_text("[server]\nname = main\nport = 3\nbind = 127.0.0.1\n"),
		ERR_INVALID_VALUE);
	assert_string_equal(config.server.name, "second");
	assert_string_equal(config.server.location, "from b");
	assert_int_equal(config.server.port, 4);
	assert_string_equal(config.server.bind, "127.0.0.1");
	assert_non_null(strstr(buf_text(&errors), "conf.d/10-a.conf:5: points must be"));
	assert_int_equal(error_lines(), 1);
}

static void test_bind(void **state)
{
	(void)state;
	static const struct {
		const char *given, *means;
	} cases[] = {
		{"all", ""}, {"*", ""}, {"", ""}, {"::1", "::1"}, {"192.168.1.20", "192.168.1.20"},
		{"192.168.1.20, 127.0.0.1", "192.168.1.20, 127.0.0.1"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[100];
		snprintf(text, sizeof text, "[server]\nbind = %s\n", cases[i].given);
		assert_int_equal(read_text(text), ERR_OK);
		assert_string_equal(config.server.bind, cases[i].means);
	}
	char longer[sizeof config.server.bind + 1];
	memset(longer, '1', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_false(config_set_bind(&config, longer));
	longer[sizeof longer - 2] = '\0';
	assert_true(config_set_bind(&config, longer));
}

static void test_unreadable(void **state)
{
	(void)state;
	assert_int_equal(config_read(&config, "/nonexistent/focusd.conf", &errors), ERR_IO);
	assert_non_null(strstr(buf_text(&errors), "/nonexistent/focusd.conf:0: cannot be read"));
	buf_clear(&errors);
	assert_int_equal(config_read(&config, folder, &errors), ERR_IO);
	assert_non_null(strstr(buf_text(&errors), "is a directory"));
}

static void test_check(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int line; /* 0: no error */
		const char *says;
	} cases[] = {
		{"[focuser.0]\ndriver = moonlite\nport = /dev/ttyUSB0\n[camera.0]\ndriver = "
		 "replay\n"
		 "path = /x\n",
			0, ""},
		{"[focuser.2]\ndriver = simulator\n", 0, ""},
		{"[server]\nport = 1\n", 0, "nothing to serve"},
		{"[focuser.0]\nname = x\n", 1,
			"driver must be given; there are simulator, moonlite, many"},
		{"[focuser.0]\ndriver = MoonLite\n", 2, "did you mean 'moonlite'?"},
		{"[focuser.0]\ndriver = moonlite_v2\n", 2, "did you mean 'moonlite'?"},
		{"[focuser.0]\ndriver = sim\n", 2, "did you mean 'simulator'?"},
		{"[focuser.0]\ndriver = zwo\n", 2, "'zwo'; there are simulator, moonlite, many"},
		{"[focuser.0]\ndriver = \"moonlite\"\n", 2, "'moonlite'? (it is written without quotes)"},
		{"[focuser.0]\ndriver = moonlite # x\n", 2, "'moonlite'? (a comment behind a value begins with ' ;')"},
		{"[focuser.0]\ndriver = replay\n", 2, "replay is a driver for [camera.N], not for a focuser"},
		{"[camera.0]\ndriver = many\n", 2, "many is a driver for [focuser.N], not for a camera"},
		{"[focuser.0]\ndriver = moonlite\nport = bad one\n", 3, "[focuser.0] bad one cannot be read"},
		{"[focuser.0]\ndriver = moonlite\nport = Auto\n", 3, "'Auto' is no port: did you mean auto?"},
		{"[focuser.0]\ndriver = simulator\nport = bad one\n", 0, ""}, /* nobody reads it */
		{"[camera.0]\ndriver = wired\n", 1, "needs a port"},
		{"[camera.0]\ndriver = wired\nport = bad\n", 3, "[camera.0] bad cannot be read"},
		{"[camera.0]\ndriver = wired\nport = auto\n", 0, ""},
		{"[server]\nbind = bad\n[focuser.0]\ndriver = simulator\n", 2, "[server] bad cannot be read"},
		{"[focuser.0]\ndriver = simulator\nmin_step = 100\nmax_step = 1000\nbacklash_steps = 900\n", 5,
			"backlash_steps (900) must be smaller than the range of the focuser, 900 steps"},
		{"[focuser.0]\ndriver = simulator\nmin_step = 100\nmax_step = 1000\nbacklash_steps = 899\n", 0, ""},
		{"[focuser.0]\ndriver = simulator\nbacklash_steps = 1000000\n", 0, ""}, /* the device knows its range */
		{"[focuser.0]\n\ndriver = moonlight\n", 3,
			"there is no focuser driver 'moonlight'"},
		{"[focuser.0]\ndriver = moonlite\n", 1, "needs a port"},
		{"[focuser.0]\ndriver = moonlite\nport =\n", 3, "needs a port"},
		{"[camera.0]\ndriver = gphoto\n", 2, "there is no camera driver 'gphoto'"},
		{"[camera.0]\ndriver = replay\n", 1, "needs a path"},
		{"[focuser.0]\ndriver = simulator\nmin_step = 9\nmax_step = 9\n", 3,
			"below max_step (9)"},
		{"[focuser.0]\ndriver = moonlite\nport = /dev/a\nquirks = odd,, even odd\n", 0, ""},
		{"[focuser.0]\ndriver = moonlite\nport = /dev/a\nquirks = odd, queer\n", 4,
			"does not know the quirk 'queer'; it knows even, odd"},
		{"[focuser.0]\ndriver = moonlite\nport = /dev/a\nquirks = od\n", 4, "quirk 'od'"},
		{"[focuser.0]\ndriver = simulator\nquirks = odd\n", 3, "it knows none"},
		{"[focuser.0]\ndriver = simulator\nspeed = 100\n", 3, "does not set the speed"},
		{"[focuser.0]\ndriver = simulator\nstep_mode = half\n", 3, "does not set the step mode"},
		{"[focuser.0]\ndriver = simulator\nstep_mode = as-it-is\n", 0, ""},
		{"[focuser.0]\ndriver = simulator\nsteps_per_turn = 100\n", 3, "does not use steps_per_turn"},
		{"[focuser.0]\ndriver = simulator\ntempcomp_steps_per_c = -3\n", 3,
			"no temperature compensation"},
		{"[focuser.0]\ndriver = many\nport = auto\ndevice = second\ntempcomp_steps_per_c = 1\n", 0, ""},
		{"[focuser.0]\ndriver = moonlite\nport = /dev/a\ndevice = second\n", 4, "does not use device"},
		{"[focuser.0]\ndriver = simulator\n\ndevice = 1\n", 4, "driver simulator does not use device"},
		{"[camera.0]\ndriver = several\ndevice = 1\n", 0, ""},
		{"[camera.0]\ndriver = simulator\ndevice = 1\n", 3, "does not use device"},
		{"[focuser.0]\ndriver = moonlite\nport = auto\n", 3,
			"its chips may be anybody's; write port = /dev/of-moonlite"},
		{"[focuser.0]\ndriver = simulator\ncamera = 1\n", 3, "there is no [camera.1]"},
		{"[focuser.0]\ndriver = simulator\ntranscript = file\n", 3, "begins with /"},
		{"[focuser.0]\ndriver = simulator\ntemperature_source = focuser.0\n", 3,
			"is called self"},
		{"[focuser.0]\ndriver = simulator\ntemperature_source = focuser.1\n", 3,
			"there is no [focuser.1]"},
		{"[focuser.0]\ndriver = moonlite\nport = /dev/a\n[focuser.1]\ndriver = moonlite\n"
		 "port = /dev/a\n",
			6, "port /dev/a is that of [focuser.0] already"},
		{"[focuser.0]\ndriver = many\nport = /dev/a\n[focuser.1]\ndriver = many\nport = /dev/a\ndevice = 2\n",
			0, ""},
		{"[focuser.0]\ndriver = simulator\n[telescope.1]\naperture_mm = 80\nobstruction_mm "
		 "= 80\n",
			5, "smaller than aperture_mm"},
		{"[focuser.0]\ndriver = simulator\n[telescope.1]\nobstruction_mm = 80\n", 4,
			"without aperture_mm"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(read_text(cases[i].text), ERR_OK);
		bool wrong = cases[i].says[0] != '\0';
		assert_int_equal(
			config_check(&config, &drivers, &errors), wrong ? ERR_INVALID_VALUE : ERR_OK);
		if (wrong) {
			expect_error(cases[i].line, cases[i].says);
		}
		assert_int_equal(error_lines(), wrong ? 1 : 0);
	}
}

/* Lawful, and yet hardly meant. */
static void test_warnings(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int line; /* 0: no warning */
		const char *says;
	} cases[] = {
		{"[focuser.0]\ndriver = moonlite\nport = there\n", 0, ""},
		{"[focuser.0]\ndriver = moonlite\nport = gone\n", 3, "warning: [focuser.0] gone is not there"},
		{"[focuser.0]\ndriver = many\nport = auto\n", 0, ""},
		{"[camera.0]\ndriver = wired\nport = gone\n", 3, "warning: [camera.0] gone is not there"},
		{"[camera.0]\ndriver = replay\npath = gone\n", 3, "warning: [camera.0] gone is not there"},
		{"[camera.0]\ndriver = simulator\npath = gone\n", 3, "driver simulator does not use path"},
		{"[focuser.0]\ndriver = simulator\nport = gone\n", 3, "driver simulator does not use port"},
		{"[focuser.0]\ndriver = simulator\nbaud = 9600\n", 3, "driver simulator does not use baud"},
		{"[server]\nbind = gone\n[focuser.0]\ndriver = simulator\n", 2, "warning: [server] gone is not there"},
		{"[server]\nallowed_hosts = pier3, http://pier3/\n", 2, "'http://pier3/' is no host name"},
		{"[server]\nallowed_hosts = *.local\n", 2, "'*.local' is no host name"},
		{"[server]\nallowed_hosts = pier3:80 fd00::1\n", 2, "'pier3:80' is no host name"},
		{"[server]\nname = \"Pier 3\"\n", 2, "name is taken as it stands, \"Pier 3\" (it is written without"},
		{"[server]\nname = Pier # 3\n", 2, "a comment behind a value begins with ' ;'"},
		{"[server]\nname = Pier 3 ; not # this\n", 0, ""},
		{"[focuser.0]\ndriver = moonlite\nport = /dev/null\n[focuser.1]\ndriver = moonlite\n"
		 "port = /dev/../dev/null\n", 6, "is the same device as /dev/null of [focuser.0]"},
		{"[focuser.0]\ndriver = simulator\n", 0, ""}, /* other programs may do the focusing */
		{"[focuser.0]\ndriver = simulator\n[autofocus]\npoints = 9\n", 1, "there is no [camera.0]"},
		{"[focuser.0]\ndriver = simulator\ncamera = 0\n", 3, "there is no [camera.0]"},
		{"[focuser.0]\ndriver = simulator\n[camera.1]\ndriver = simulator\n", 1,
			"there is no [camera.0], so it cannot focus by itself; did you mean camera = 1?"},
		{"[focuser.0]\ndriver = simulator\ncamera = 1\n[camera.1]\ndriver = simulator\n", 0, ""},
		{"[focuser.0]\ndriver = simulator\ntranscript = /nonexistent/x\n", 3, "no folder /nonexistent"},
		{"[focuser.0]\ndriver = simulator\ntranscript = /tmp/x\n", 0, ""},
		{"[focuser.0]\ndriver = simulator\nmin_step = 500\n", 3, "the Alpaca checker's limit test fails"},
		{"[camera.0]\ndriver = simulator\n[telescope.1]\naperture_mm = 80\n", 3,
			"belongs to [focuser.1] and [camera.1], and neither is there"},
		{"[camera.0]\ndriver = simulator\n[telescope.0]\naperture_mm = 1422\nfocal_length_mm = 203\n", 5,
			"no telescope is as fast as f/0.14"},
		{"[camera.0]\ndriver = simulator\n[telescope.0]\naperture_mm = 203\nfocal_length_mm = 400\n", 0, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(read_text(cases[i].text), ERR_OK);
		config_warn(&config, &drivers, &errors);
		bool odd = cases[i].says[0] != '\0';
		if (odd) {
			expect_error(cases[i].line, cases[i].says);
			expect_error(cases[i].line, ": warning: [");
		}
		assert_int_equal(error_lines(), odd ? 1 : 0);
	}
}

static void test_simulate(void **state)
{
	(void)state;
	assert_int_equal(
		read_text("[server]\nport = 5\n[focuser.4]\ndriver = moonlite\n[camera.1]\n"
			  "driver = nonsense\n[telescope.0]\nfocal_length_mm = 480\n"
			  "aperture_mm = 80\n[simulator]\nstars = 7\n"),
		ERR_OK);
	config_simulate(&config);
	assert_int_equal(config_check(&config, &drivers, &errors), ERR_OK);
	assert_true(config.focuser[0].present && config.camera[0].present);
	assert_false(config.focuser[4].present || config.camera[1].present);
	assert_string_equal(config.focuser[0].name, "Simulated focuser");
	assert_string_equal(config.focuser[0].driver, "simulator");
	assert_string_equal(config.camera[0].name, "Simulated camera");
	assert_string_equal(config.camera[0].driver, "simulator");
	assert_int_equal(config.server.port, 5);
	assert_int_equal(config.simulator.stars, 7);
	assert_true(config.telescope[0].focal_length_mm == 480);
	assert_true(config.telescope[0].obstruction_mm == 0);
}

static char *read_whole(const char *variable, const char *name)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", getenv(variable), name);
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		fail_msg("cannot read %s", path);
		return NULL;
	}
	char *text = calloc(1, 200000);
	assert_non_null(text);
	assert_true(fread(text, 1, 199999, file) > 0);
	fclose(file);
	return text;
}

/* Each option stands in the manual page as ".It Va name" inside its section ".Ss [section]
 * options", and in the annotated example as "name =" or ";name =". */
static void test_every_option_is_documented(void **state)
{
	(void)state;
	char *page = read_whole("MAN_DIR", "focusd.conf.5");
	char *example = read_whole("EXAMPLES_DIR", "focusd.conf");
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		char text[100];
		snprintf(text, sizeof text, ".Ss [%s] options\n", o->section);
		const char *from = strstr(page, text);
		if (from == NULL) {
			fail_msg("focusd.conf.5 has no section %s", text);
		}
		const char *end = from == NULL ? NULL : strstr(from + 1, "\n.S");
		snprintf(text, sizeof text, "\n.It Va %s\n", o->name);
		const char *at = from == NULL ? NULL : strstr(from, text);
		if (at == NULL || (end != NULL && at > end)) {
			fail_msg("focusd.conf.5 does not explain [%s] %s", o->section, o->name);
		}
		snprintf(text, sizeof text, "\n[%.*s", (int)strcspn(o->section, "N"), o->section);
		from = strstr(example, text);
		end = from == NULL ? NULL : strstr(from + 2, "\n[");
		snprintf(text, sizeof text, "\n;%s =", o->name);
		at = from == NULL ? NULL : strstr(from, text);
		if (at == NULL || (end != NULL && at > end)) {
			snprintf(text, sizeof text, "\n%s =", o->name);
			at = from == NULL ? NULL : strstr(from, text);
		}
		if (at == NULL || (end != NULL && at > end)) {
			fail_msg("the annotated focusd.conf does not show [%s] %s", o->section,
				o->name);
		}
		assert_true(strlen(o->help) > 0 && strlen(o->fallback) > 0);
	}
	free(page);
	free(example);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_all_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_sections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_errors_with_their_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines_and_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_warnings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_simulate, setup, teardown),
		cmocka_unit_test(test_every_option_is_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
