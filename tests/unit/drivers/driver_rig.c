/* SPDX-License-Identifier: MIT */
#include "driver_rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

static void open_driver(struct driver_rig *rig)
{
	struct err err;
	assert_true(rig->driver->open_wait_for(&rig->port) < rig->driver->open_wait_ms);
	if (rig->driver->open(rig->ctx, &rig->port, &rig->host, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

void driver_rig_open(struct driver_rig *rig, const struct focuser_driver *driver,
	const struct emulator_kind *kind, const char *faults, int32_t position, double factor)
{
	memset(rig, 0, sizeof *rig);
	rig->driver = driver;
	struct emulator_settings settings;
	emulator_defaults(kind, &settings);
	settings.position = position;
	settings.time_factor = factor;
	settings.temperature_c = -2.5;
	snprintf(rig->faults, sizeof rig->faults, "%s", faults);
	char *save = NULL;
	for (char *word = strtok_r(rig->faults, " ", &save); word != NULL;
		word = strtok_r(NULL, " ", &save)) {
		settings.faults[settings.fault_count++] = word;
	}
	emulator_thread_start(&rig->emulator, kind, &settings, NULL);
	rig->host.clock = clock_real();
	rig->host.source = "focuser.0";
	snprintf(rig->port.port, sizeof rig->port.port, "%s", emulator_path(rig->emulator.emulator));
	rig->ctx = calloc(1, driver->ctx_size);
	open_driver(rig);
}

void driver_rig_close(struct driver_rig *rig)
{
	rig->driver->close(rig->ctx);
	free(rig->ctx);
	emulator_thread_stop(&rig->emulator);
}

/* One connection, copied to the terminal and back until either ends. */
static void *run_bridge(void *arg)
{
	const struct driver_bridge *bridge = arg;
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

void driver_rig_over_tcp(struct driver_rig *rig, struct driver_bridge *bridge)
{
	rig->driver->close(rig->ctx);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	bridge->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bridge->tty = open(emulator_path(rig->emulator.emulator), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(bridge->tty >= 0);
	assert_int_equal(bind(bridge->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(bridge->listener, 1), 0);
	assert_int_equal(getsockname(bridge->listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(pthread_create(&bridge->thread, NULL, run_bridge, bridge), 0);
	snprintf(rig->port.port, sizeof rig->port.port, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
	open_driver(rig);
}

void driver_rig_end_tcp(struct driver_bridge *bridge)
{
	pthread_join(bridge->thread, NULL);
	close(bridge->tty);
	close(bridge->listener);
}

void driver_rig_identify(struct driver_rig *rig)
{
	struct err err = {.text = ""};
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	while (now_ms() < deadline_ms) {
		enum err_code code = rig->driver->identify(rig->ctx, &rig->caps, &err);
		if (code == ERR_OK) {
			return;
		}
		assert_int_not_equal(code, ERR_IO);
	}
	fail_msg("never identified: %s", err.text);
}

/* On a busy machine an answer may be late without anybody's fault. */
static bool may_be_asked_again(enum err_code code)
{
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL;
}

struct focuser_reading driver_rig_poll_until(struct driver_rig *rig, bool moving, int *failures)
{
	struct err err = {.text = ""};
	int unwatched = 0;
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	while (now_ms() < deadline_ms) {
		struct focuser_reading reading;
		enum err_code code = rig->driver->poll(rig->ctx, FOCUSER_WANT_MOTION, &reading, &err);
		if (code != ERR_OK && !may_be_asked_again(code)) {
			fail_msg("%s", err.text);
		}
		if (code != ERR_OK) {
			*(failures != NULL ? failures : &unwatched) += 1;
			continue;
		}
		assert_true(reading.moving_valid && reading.position_valid);
		if (reading.moving == moving) {
			return reading;
		}
	}
	fail_msg("never %s", moving ? "moved" : "came to rest");
	return (struct focuser_reading){0};
}

void driver_rig_start_move(struct driver_rig *rig, int32_t target)
{
	struct err err = {.text = ""};
	int64_t deadline_ms = now_ms() + GENEROUS_MS;
	enum err_code code;
	do {
		code = rig->driver->start_move(rig->ctx, target, &err);
	} while (may_be_asked_again(code) && now_ms() < deadline_ms);
	if (code != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

struct focuser_reading driver_rig_measure(struct driver_rig *rig)
{
	struct err err = {.text = ""};
	struct focuser_reading reading = {0};
	/* A missed answer is no failure of a poll, so a missing number is asked for three times. */
	for (int i = 0; i < 3 && !reading.temperature_valid; i++) {
		enum err_code code = rig->driver->poll(rig->ctx, FOCUSER_WANT_TEMPERATURE, &reading, &err);
		if (code != ERR_OK && !may_be_asked_again(code)) {
			fail_msg("%s", err.text);
		}
	}
	return reading;
}

struct row_thread {
	pthread_t thread;
	void (*row)(size_t i);
	size_t i;
};

static void *run_row(void *arg)
{
	const struct row_thread *t = arg;
	t->row(t->i);
	return NULL;
}

#define MAX_ROWS 24

void driver_rig_at_once(size_t count, void (*row)(size_t i))
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
