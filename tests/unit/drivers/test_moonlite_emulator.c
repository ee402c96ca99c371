/* SPDX-License-Identifier: MIT */
/*
 * The driver against the emulated controller on a real pseudo terminal, with every fault.  Both
 * follow the Moonlite command set and share no code.  Nothing here waits for a fixed time: loops
 * end when the device says so, or fail at a generous deadline.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "emulator_thread.h"
#include "emu_moonlite.h"
#include "moonlite_driver.h"
#include "transport.h"

#define GENEROUS_MS 20000

struct rig {
	struct emulator_thread emulator;
	struct driver_host host;
	struct focuser_port port;
	void *ctx;
	struct focuser_caps caps;
	char fault_names[200];
};

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

/* Starts a device with the faults (blank-separated) and opens the driver, told of these quirks, on it. */
static void rig_open_with(struct rig *rig, const char *faults, const char *quirks, int32_t position,
	int32_t max_step, double factor, const char *link)
{
	memset(rig, 0, sizeof *rig);
	struct emulator_settings settings;
	emulator_defaults(&emu_moonlite, &settings);
	settings.position = position;
	settings.time_factor = factor;
	settings.temperature_c = -2.5;
	if (max_step > 0) {
		settings.max_step = max_step;
	}
	snprintf(rig->fault_names, sizeof rig->fault_names, "%s", faults);
	char *save = NULL;
	for (char *word = strtok_r(rig->fault_names, " ", &save); word != NULL;
		word = strtok_r(NULL, " ", &save)) {
		settings.faults[settings.fault_count++] = word;
	}
	emulator_thread_start(&rig->emulator, &emu_moonlite, &settings, link);
	rig->host.clock = clock_real();
	rig->host.source = "focuser.0";
	rig->port.max_step = max_step;
	snprintf(rig->port.quirks, sizeof rig->port.quirks, "%s", quirks);
	snprintf(rig->port.port, sizeof rig->port.port, "%s",
		link != NULL ? link : emulator_path(rig->emulator.emulator));
	rig->ctx = calloc(1, moonlite_driver.ctx_size);
	assert_int_equal(moonlite_driver.open_wait_for(&rig->port), 0);
	struct err err;
	if (moonlite_driver.open(rig->ctx, &rig->port, &rig->host, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

static void rig_open(struct rig *rig, const char *faults, int32_t position, int32_t max_step,
	double factor, const char *link)
{
	rig_open_with(rig, faults, "", position, max_step, factor, link);
}

static void rig_close(struct rig *rig)
{
	moonlite_driver.close(rig->ctx);
	free(rig->ctx);
	emulator_thread_stop(&rig->emulator);
}

/* As core does: again and again until it answers. */
static void identify(struct rig *rig)
{
	struct err err = {.text = ""};
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	while (now_ms() < deadline_ms) {
		enum err_code code = moonlite_driver.identify(rig->ctx, &rig->caps, &err);
		if (code == ERR_OK) {
			return;
		}
		assert_int_not_equal(code, ERR_IO);
	}
	fail_msg("never identified: %s", err.text);
}

/* Polls until the wanted state; single failures count and pass, as in core. */
static struct focuser_reading poll_until(struct rig *rig, bool moving, int *failures)
{
	struct err err = {.text = ""};
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	while (now_ms() < deadline_ms) {
		struct focuser_reading reading;
		enum err_code code = moonlite_driver.poll(rig->ctx, FOCUSER_WANT_MOTION, &reading,
			&err);
		assert_int_not_equal(code, ERR_IO);
		if (code != ERR_OK && failures != NULL) {
			(*failures)++;
			continue;
		}
		if (code != ERR_OK) {
			fail_msg("%s", err.text);
		}
		assert_true(reading.moving_valid && reading.position_valid);
		if (reading.moving == moving) {
			return reading;
		}
	}
	fail_msg("never %s", moving ? "moved" : "came to rest");
	return (struct focuser_reading){0};
}

static void start_move(struct rig *rig, int32_t target)
{
	struct err err = {.text = ""};
	if (moonlite_driver.start_move(rig->ctx, target, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

/* Calls row(0..count-1), each on a thread of its own: devices wait for their lines, not for each
 * other.  What fails there says so and aborts the program: a thread cannot jump back to the test. */
struct row_thread {
	pthread_t thread;
	void (*row)(size_t i);
	size_t i;
};

static void *run_row(void *arg)
{
	struct row_thread *t = arg;
	t->row(t->i);
	return NULL;
}

#define MAX_ROWS 40

static void at_once(size_t count, void (*row)(size_t i))
{
	struct row_thread threads[MAX_ROWS];
	assert_true(count <= MAX_ROWS);
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	for (size_t i = 0; i < count; i++) {
		threads[i].row = row;
		threads[i].i = i;
		assert_int_equal(pthread_create(&threads[i].thread, NULL, run_row, &threads[i]), 0);
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(threads[i].thread, NULL);
	}
	unsetenv("CMOCKA_TEST_ABORT");
}

static const struct {
	const char *faults, *identity;
	int beside;       /* where it stops, from the target */
	bool may_miss;    /* single polls may fail */
	const char *quirks;
} clones[] = {
	{"", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"delay", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"partial", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"duplicate", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"garbage", NULL, 0, true, ""},
	{"no-reply-once", "Moonlite compatible, firmware 1.0", 0, true, ""},
	{"late-reply", "Moonlite compatible, firmware 1.0", 0, true, ""},
	{"missing-hash", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"double-hash", "Moonlite compatible, answers 00 for its version", 0, false, ""},
	{"width8", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"width8 double-hash",
		"Moonlite compatible, answers 00 for its version (high resolution)", 0, false, ""},
	{"one-digit-gi", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"sn-moves", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"sn-moves ignore-while-moving offset-7", "Moonlite compatible, firmware 1.0", 7,
		false, ""},
	{"offset--3", "Moonlite compatible, firmware 1.0", -3, false, ""},
	{"wrap16", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"reset-on-open", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"no-temperature", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"half-reply", "Moonlite compatible, firmware 1.0", 0, true, ""},
	{"lower-case", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"lost-target", "Moonlite compatible, firmware 1.0", 0, false, ""},
	{"wrong-position", "Moonlite compatible, firmware 1.0", 7, false, ""},
	{"no-gv", "Moonlite compatible, does not tell its version", 0, false, "no-version"},
	{"no-gn", "Moonlite compatible, firmware 1.0", 0, false, "no-target"},
	{"missing-hash missing-hash-gi", "Moonlite compatible, firmware 1.0", 0, false, "no-hash"},
	{"sn-moves", "Moonlite compatible, firmware 1.0", 0, false, "sn-starts"},
	/* Small processors print the low half of what is below zero. */
	{"offset--3 below-zero", "Moonlite compatible, firmware 1.0", -3, false, "signed-positions"},
	{"offset--3 below-zero width8", "Moonlite compatible, firmware 1.0", -3, false, ""},
};

static void moves_arrive(size_t i)
{
	struct rig rig;
	rig_open_with(&rig, clones[i].faults, clones[i].quirks, 20000, 0, 2000, NULL);
	identify(&rig);
	if (clones[i].identity != NULL && strcmp(rig.caps.identity, clones[i].identity) != 0) {
		fail_msg("%s: %s", clones[i].faults, rig.caps.identity);
	}
	static const int32_t targets[] = {23000, 0, 32000, 22999};
	int failures = 0;
	for (size_t k = 0; k < sizeof targets / sizeof targets[0]; k++) {
		start_move(&rig, targets[k]);
		struct focuser_reading reading = poll_until(&rig, false,
			clones[i].may_miss ? &failures : NULL);
		int32_t want = targets[k] + clones[i].beside;
		/* Others than these stop at zero. */
		want = want < 0 && strstr(clones[i].faults, "below-zero") == NULL ? 0 : want;
		if (reading.position != want) {
			fail_msg("%s: %d instead of %d", clones[i].faults, (int)reading.position,
				(int)want);
		}
	}
	rig_close(&rig);
}

/* Moves arrive exactly, whatever this clone or this line does. */
static void test_moves_arrive(void **state)
{
	(void)state;
	at_once(sizeof clones / sizeof clones[0], moves_arrive);
}

/* Exactly the bytes that may go out before the first move, and none at all on open. */
static void test_connect_bytes(void **state)
{
	(void)state;
	struct rig rig;
	char sent[256];
	rig_open(&rig, "", 20000, 0, 1, NULL);
	identify(&rig);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_string_equal(sent, ":GV#:GP#:GI#:GH#:GD#");
	rig_close(&rig);

	rig_open(&rig, "", 20000, 0, 1, NULL);
	moonlite_driver.close(rig.ctx);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_string_equal(sent, "");
	rig_close(&rig);
}

static void halts(size_t i)
{
	static const char *const faults[] = {"", "sn-moves", "delay"};
	struct rig rig;
	char sent[1024];
	rig_open(&rig, faults[i], 20000, 0, 1, NULL);
	identify(&rig);
	start_move(&rig, 60000);
	struct focuser_reading reading = poll_until(&rig, true, NULL);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	struct focuser_reading rest = poll_until(&rig, false, NULL);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_int_equal(strncmp(sent, ":FQ#:GI#", 8), 0);
	assert_true(rest.position >= reading.position && rest.position < 60000);
	/* Nothing moves afterwards, and the old target is forgotten where that is safe. */
	struct focuser_reading later = poll_until(&rig, false, NULL);
	assert_int_equal(later.position, rest.position);
	emulator_thread_take(&rig.emulator, sent + 500, 500);
	char retarget[16];
	snprintf(retarget, sizeof retarget, ":SN%04X#", (unsigned)rest.position);
	bool forgot = strstr(sent, retarget) != NULL || strstr(sent + 500, retarget) != NULL;
	assert_int_equal(forgot, strcmp(faults[i], "sn-moves") != 0);
	rig_close(&rig);
}

/* One exchange, and the motor stands: position and time from the device, not from a wait. */
static void test_halt(void **state)
{
	(void)state;
	at_once(3, halts);
}

static void supersedes(size_t i)
{
	static const char *const faults[] = {"", "ignore-while-moving", "sn-moves",
		"sn-moves ignore-while-moving", "no-reply-once"};
	struct rig rig;
	int failures = 0;
	rig_open(&rig, faults[i], 20000, 0, 50, NULL);
	identify(&rig);
	start_move(&rig, 60000);
	poll_until(&rig, true, &failures);
	start_move(&rig, 15000);
	assert_int_equal(poll_until(&rig, false, &failures).position, 15000);
	rig_close(&rig);
}

static void test_supersede(void **state)
{
	(void)state;
	at_once(5, supersedes);
}

static void test_silence(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_open(&rig, "silent", 20000, 0, 1, NULL);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &rig.caps, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "nothing answers on /dev/pts/"));
	rig_close(&rig);
}

static void test_stall(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, "stall", 20000, 0, 50, NULL);
	identify(&rig);
	start_move(&rig, 30000);
	struct focuser_reading reading = {.moving = true};
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	while (reading.position != 20100 && now_ms() < deadline_ms) {
		reading = poll_until(&rig, true, NULL);
	}
	/* It says that it moves and does not: for the watchdog to notice. */
	assert_int_equal(poll_until(&rig, true, NULL).position, 20100);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	assert_int_equal(poll_until(&rig, false, NULL).position, 20100);
	rig_close(&rig);
}

static void test_unasked_motion_is_reported(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, "unasked-motion", 20000, 0, 2, NULL);
	identify(&rig);
	poll_until(&rig, true, NULL);
	assert_int_equal(poll_until(&rig, false, NULL).position, 20200);
	rig_close(&rig);
}

static void test_wrap16_is_refused_before_it_moves(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_open_with(&rig, "wrap16", "extended", 20000, 100000, 1, NULL);
	identify(&rig);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, &err), ERR_REFUSED);
	assert_int_equal(poll_until(&rig, false, NULL).position, 20000);
	rig_close(&rig);

	rig_open_with(&rig, "", "extended", 20000, 100000, 1000, NULL);
	identify(&rig);
	start_move(&rig, 70000);
	assert_int_equal(poll_until(&rig, false, NULL).position, 70000);
	rig_close(&rig);
}

/* The terminal vanishes in mid move: an error at once, and after the return the same link leads
 * to the motor, which has gone on by itself. */
static void test_unplug_and_replug(void **state)
{
	(void)state;
	char folder[] = "/tmp/focusd-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char link[64];
	snprintf(link, sizeof link, "%s/port", folder);
	struct rig rig;
	rig_open(&rig, "drop-line", 20000, 0, 1, link);
	identify(&rig);
	start_move(&rig, 20600);
	struct err err = {.text = ""};
	struct focuser_reading reading;
	enum err_code code = ERR_OK;
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	while (code == ERR_OK && now_ms() < deadline_ms) {
		code = moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err);
	}
	assert_int_equal(code, ERR_IO);
	assert_non_null(strstr(err.text, "is gone"));
	assert_int_equal(moonlite_driver.halt(rig.ctx, &err), ERR_IO);
	moonlite_driver.close(rig.ctx);
	do {
		code = moonlite_driver.open(rig.ctx, &rig.port, &rig.host, &err);
	} while (code == ERR_IO && now_ms() < deadline_ms);
	assert_int_equal(code, ERR_OK);
	identify(&rig);
	assert_int_equal(poll_until(&rig, false, NULL).position, 20600);
	rig_close(&rig);
	assert_int_equal(access(link, F_OK), -1);
	rmdir(folder);
}

/* Clients come and go; the device stays. */
static void test_reopen(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, "", 20000, 0, 100, NULL);
	for (int i = 0; i < 5; i++) {
		identify(&rig);
		start_move(&rig, 20000 + i);
		assert_int_equal(poll_until(&rig, false, NULL).position, 20000 + i);
		moonlite_driver.close(rig.ctx);
		struct err err;
		if (moonlite_driver.open(rig.ctx, &rig.port, &rig.host, &err) != ERR_OK) {
			fail_msg("%s", err.text);
		}
	}
	rig_close(&rig);
}

/* A network serial server: one connection, copied to the terminal and back until either ends. */
struct bridge {
	int listener;
	int tty;
};

static void *run_bridge(void *arg)
{
	struct bridge *bridge = arg;
	int peer = accept(bridge->listener, NULL, NULL);
	for (bool on = peer >= 0; on;) {
		struct pollfd fds[2] = {{.fd = peer, .events = POLLIN},
			{.fd = bridge->tty, .events = POLLIN}};
		on = poll(fds, 2, GENEROUS_MS) > 0;
		for (int i = 0; on && i < 2; i++) {
			char bytes[64];
			if (fds[i].revents != 0) {
				ssize_t n = read(fds[i].fd, bytes, sizeof bytes);
				on = n > 0 && write(fds[1 - i].fd, bytes, (size_t)n) == n;
			}
		}
	}
	close(peer);
	return NULL;
}

static void test_over_tcp(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, "", 20000, 0, 100, NULL);
	moonlite_driver.close(rig.ctx);
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	struct bridge bridge = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.tty = open(emulator_path(rig.emulator.emulator), O_RDWR | O_NOCTTY | O_CLOEXEC)};
	assert_true(bridge.tty >= 0);
	assert_int_equal(bind(bridge.listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(bridge.listener, 1), 0);
	assert_int_equal(getsockname(bridge.listener, (struct sockaddr *)&at, &len), 0);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, run_bridge, &bridge), 0);
	snprintf(rig.port.port, sizeof rig.port.port, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(moonlite_driver.open_wait_for(&rig.port), 0);
	assert_int_equal(moonlite_driver.open(rig.ctx, &rig.port, &rig.host, NULL), ERR_OK);
	identify(&rig);
	start_move(&rig, 23000);
	assert_int_equal(poll_until(&rig, false, NULL).position, 23000);
	moonlite_driver.close(rig.ctx);
	pthread_join(thread, NULL);
	close(bridge.tty);
	close(bridge.listener);
	rig_close(&rig);
}

static void test_temperature(void **state)
{
	(void)state;
	static const struct {
		const char *faults;
		bool valid;
		double celsius;
	} rows[] = {
		{"", true, -2.5},
		{"width8", true, -2.5},
		{"width8 double-hash", true, -3.0}, /* whole degrees, away from zero */
		{"constant-temperature", true, 16.0},
		{"no-probe", false, 0},
		{"no-temperature", false, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		rig_open(&rig, rows[i].faults, 20000, 0, 10, NULL);
		rig.host.clock = clock_create_fake();
		identify(&rig);
		struct focuser_reading reading = {0};
		assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_TEMPERATURE, &reading,
					 NULL), ERR_OK);
		assert_false(reading.temperature_valid);
		clock_fake_advance(rig.host.clock, 800);
		assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_TEMPERATURE, &reading,
					 NULL), ERR_OK);
		assert_int_equal(reading.temperature_valid, rows[i].valid);
		if (rows[i].valid) {
			assert_float_equal(reading.temperature_c, rows[i].celsius, 0);
		}
		struct clock *fake = rig.host.clock;
		rig_close(&rig);
		clock_destroy(fake);
	}
}

static void test_faults_are_checked(void **state)
{
	(void)state;
	struct emulator_settings settings;
	struct err err;
	emulator_defaults(&emu_moonlite, &settings);
	assert_int_equal(emulator_check(&emu_moonlite, &settings, &err), ERR_OK);
	static const struct {
		const char *name;
		bool good;
	} rows[] = {
		{"stall", true}, {"offset-7", true}, {"offset--7", true}, {"drop-line", true},
		{"offset-", false}, {"offset-x", false}, {"stall-1", false}, {"stal", false},
		{"", false}, {"wrong-checksum", false},
	};
	settings.fault_count = 1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		settings.faults[0] = rows[i].name;
		if ((emulator_check(&emu_moonlite, &settings, &err) == ERR_OK) != rows[i].good) {
			fail_msg("%s", rows[i].name);
		}
	}
	int number = 0;
	settings.faults[0] = "offset--7";
	assert_true(emulator_has_fault(&settings, "offset-", &number));
	assert_int_equal(number, -7);
	assert_false(emulator_has_fault(&settings, "stall", NULL));
}

static void (*const singles[])(void **state) = {test_silence, test_stall,
	test_unasked_motion_is_reported, test_wrap16_is_refused_before_it_moves,
	test_unplug_and_replug, test_reopen, test_over_tcp, test_temperature};

static void single(size_t i)
{
	singles[i](NULL);
}

static void test_single_devices(void **state)
{
	(void)state;
	at_once(sizeof singles / sizeof singles[0], single);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_bytes),
		cmocka_unit_test(test_moves_arrive),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_supersede),
		cmocka_unit_test(test_single_devices),
		cmocka_unit_test(test_faults_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
