/* SPDX-License-Identifier: MIT */
/*
 * Real serial ports through the serial port library, on a pseudo terminal that fake_serial.c (linked
 * in) makes pass for one.  Expectations: POSIX termios for the settings of the line; the kernel's
 * documented manners of ttys for DTR, RTS, HUPCL, TIOCEXCL and hang-up.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "exchange.h"
#include "focuser_driver.h"
#include "moonlite_codec.h"
#include "trace.h"
#include "transport.h"

struct bench {
	char folder[64];
	char terminal[64];
	int master;
};

static int64_t in_ms(int64_t ms)
{
	return clock_now_ms(clock_real()) + ms;
}

static void path_of(const struct bench *b, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", b->folder, name);
}

static void set(const struct bench *b, const char *name, int value)
{
	char path[128];
	path_of(b, name, path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%d", value);
	fclose(file);
}

/* What was done to the lines since the last time, one blank between entries. */
static void take_log(const struct bench *b, char out[1024])
{
	char path[128];
	path_of(b, "ttyTEST0.log", path);
	FILE *file = fopen(path, "r");
	size_t n = file != NULL ? fread(out, 1, 1023, file) : 0;
	out[n] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (out[i] == '\n') {
			out[i] = ' ';
		}
	}
	if (file != NULL) {
		fclose(file);
		unlink(path);
	}
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	snprintf(b->folder, sizeof b->folder, "/tmp/focusd-serial-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	setenv("FOCUSD_TEST_PORTS", b->folder, 1);
	b->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(b->master >= 0);
	assert_int_equal(grantpt(b->master), 0);
	assert_int_equal(unlockpt(b->master), 0);
	assert_int_equal(ptsname_r(b->master, b->terminal, sizeof b->terminal), 0);
	char link[128];
	path_of(b, "ttyTEST0", link);
	assert_int_equal(symlink(b->terminal, link), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"ttyTEST0", "ttyTEST0.log", "ttyTEST0.open", "ttyTEST0.read",
		"ttyTEST0.write", "ttyTEST0.cts", "ttyTEST0.lines", "by-id"};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		path_of(b, names[i], path);
		unlink(path);
	}
	if (b->master >= 0) {
		close(b->master);
	}
	rmdir(b->folder);
	free(b);
	return 0;
}

static struct transport *open_with(const struct transport_settings *settings)
{
	struct transport *t = NULL;
	struct err err;
	if (transport_open("/dev/ttyTEST0", settings, in_ms(2000), &t, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	assert_string_equal(t->ops->name, "serial");
	assert_string_equal(t->ops->describe(t), "/dev/ttyTEST0");
	return t;
}

static struct transport *open_ok(void)
{
	return open_with(&(struct transport_settings){.baud = 9600});
}

static void refuse(const char *where, const char *text)
{
	struct transport *t = NULL;
	struct err err;
	static const struct transport_settings settings = {.baud = 9600};
	assert_int_equal(transport_open(where, &settings, in_ms(500), &t, &err), ERR_IO);
	if (strstr(err.text, text) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	}
	assert_null(t);
}

static void test_line_settings(void **state)
{
	const struct bench *b = *state;
	static const struct {
		int baud;
		speed_t speed;
	} rows[] = {{9600, B9600}, {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		/* Whatever the last program left behind. */
		struct termios tio;
		assert_int_equal(tcgetattr(b->master, &tio), 0);
		tio.c_iflag |= IXON | IXOFF | ICRNL | ISTRIP;
		tio.c_oflag |= OPOST | ONLCR;
		tio.c_lflag |= ICANON | ECHO | ISIG;
		tio.c_cflag |= PARENB | CSTOPB | HUPCL | CRTSCTS;
		assert_int_equal(tcsetattr(b->master, TCSANOW, &tio), 0);

		struct transport *t = open_with(&(struct transport_settings){.baud = rows[i].baud});
		assert_int_equal(tcgetattr(b->master, &tio), 0);
		assert_int_equal(cfgetospeed(&tio), rows[i].speed);
		assert_int_equal(cfgetispeed(&tio), rows[i].speed);
		assert_int_equal(tio.c_cflag & CSIZE, CS8);
		assert_int_equal(tio.c_cflag & (PARENB | CSTOPB | CRTSCTS | HUPCL), 0);
		assert_int_equal(tio.c_cflag & (CLOCAL | CREAD), CLOCAL | CREAD);
		assert_int_equal(tio.c_iflag & (IXON | IXOFF | ICRNL | INLCR | IGNCR | ISTRIP), 0);
		assert_int_equal(tio.c_oflag & OPOST, 0);
		assert_int_equal(tio.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
		t->ops->destroy(t);
	}
}

static void test_passes_every_byte(void **state)
{
	const struct bench *b = *state;
	struct transport *t = open_ok();
	unsigned char all[256];
	for (int i = 0; i < 256; i++) {
		all[i] = (unsigned char)i;
	}
	/* Three bytes at a time, as some bridges take them. */
	set(b, "ttyTEST0.write", 3);
	assert_int_equal(t->ops->write_all(t, all, sizeof all, in_ms(2000), NULL), ERR_OK);
	unsigned char in[256];
	for (size_t at = 0; at < sizeof in;) {
		ssize_t n = read(b->master, in + at, sizeof in - at);
		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_memory_equal(in, all, sizeof all);
	assert_int_equal(write(b->master, all, sizeof all), sizeof all);
	for (size_t at = 0; at < sizeof in;) {
		size_t got = 0;
		assert_int_equal(t->ops->read_some(t, in + at, sizeof in - at, &got, in_ms(2000), NULL),
			ERR_OK);
		at += got;
	}
	assert_memory_equal(in, all, sizeof all);
	t->ops->destroy(t);
}

/* Opening raises both lines once; closing leaves them, so that the next opening makes no edge. */
static void test_lines_at_open_and_close(void **state)
{
	const struct bench *b = *state;
	static const struct {
		struct transport_settings settings;
		const char *log;
	} rows[] = {
		{{.baud = 9600}, "open dtr=1 rts=1 close dtr=1 rts=1 "},
		{{.baud = 9600, .rts_low = true}, "open dtr=1 rts=1 set dtr=1 rts=0 close dtr=1 rts=0 "},
		{{.baud = 9600, .dtr_low = true}, "open dtr=1 rts=1 set dtr=0 rts=1 close dtr=0 rts=1 "},
		{{.baud = 9600, .dtr_low = true, .rts_low = true},
			"open dtr=1 rts=1 set dtr=0 rts=0 close dtr=0 rts=0 "},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct transport *t = open_with(&rows[i].settings);
		t->ops->destroy(t);
		char log[1024];
		take_log(b, log);
		assert_string_equal(log, rows[i].log);
	}
}

static void test_lines_on_demand(void **state)
{
	const struct bench *b = *state;
	struct transport *t = open_ok();
	assert_int_equal(t->ops->set_lines(t, false, true, NULL), ERR_OK);
	assert_int_equal(t->ops->set_lines(t, true, false, NULL), ERR_OK);
	bool up = true;
	assert_int_equal(t->ops->read_cts(t, &up, NULL), ERR_OK);
	assert_false(up);
	assert_int_equal(t->ops->set_lines(t, true, true, NULL), ERR_OK);
	assert_int_equal(t->ops->read_cts(t, &up, NULL), ERR_OK);
	assert_true(up);
	char log[1024];
	take_log(b, log);
	assert_string_equal(log, "open dtr=1 rts=1 set dtr=0 rts=1 set dtr=1 rts=1 set dtr=1 rts=0 "
				 "set dtr=1 rts=1 ");
	/* A bridge without these lines is fine; one that is gone is not. */
	set(b, "ttyTEST0.lines", ENOTTY);
	up = false;
	assert_int_equal(t->ops->set_lines(t, true, true, NULL), ERR_OK);
	assert_int_equal(t->ops->read_cts(t, &up, NULL), ERR_OK);
	assert_true(up);
	set(b, "ttyTEST0.lines", EIO);
	struct err err;
	assert_int_equal(t->ops->set_lines(t, true, true, &err), ERR_IO);
	assert_non_null(strstr(err.text, "is gone"));
	assert_int_equal(t->ops->read_cts(t, &up, NULL), ERR_IO);
	t->ops->destroy(t);
}

/* Raise RTS, CTS comes, write, drain, lower RTS; back off while CTS does not come. */
static void test_turns(void **state)
{
	const struct bench *b = *state;
	struct transport *t = open_with(&(struct transport_settings){.baud = 19200, .rts_low = true});
	char log[1024];
	take_log(b, log);
	assert_int_equal(transport_write_in_turn(t, TRANSPORT_TURN_RTS_CTS, "abc", 3, in_ms(2000), NULL),
		ERR_OK);
	char in[8];
	assert_int_equal(read(b->master, in, sizeof in), 3);
	take_log(b, log);
	assert_string_equal(log, "set dtr=1 rts=1 set dtr=1 rts=0 ");

	/* CTS at the fourth look is in time. */
	set(b, "ttyTEST0.cts", 4);
	assert_int_equal(transport_write_in_turn(t, TRANSPORT_TURN_RTS_CTS, "def", 3, in_ms(2000), NULL),
		ERR_OK);
	assert_int_equal(read(b->master, in, sizeof in), 3);
	take_log(b, log);
	assert_string_equal(log, "set dtr=1 rts=1 set dtr=1 rts=0 ");

	/* Never: RTS is given back between tries and at the end, and nothing is said. */
	set(b, "ttyTEST0.cts", -1);
	struct err err;
	int64_t deadline_ms = in_ms(300);
	assert_int_equal(transport_write_in_turn(t, TRANSPORT_TURN_RTS_CTS, "ghi", 3, deadline_ms, &err),
		ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "CTS"));
	assert_true(in_ms(0) >= deadline_ms);
	take_log(b, log);
	static const char twice[] = "set dtr=1 rts=1 set dtr=1 rts=0 set dtr=1 rts=1 set dtr=1 rts=0 ";
	assert_int_equal(strncmp(log, twice, sizeof twice - 1), 0);
	assert_string_equal(log + strlen(log) - strlen("rts=0 "), "rts=0 ");
	int waiting = 0;
	assert_int_equal(ioctl(b->master, FIONREAD, &waiting), 0);
	assert_int_equal(waiting, 0);

	/* Where CTS is not wired it is not waited for. */
	assert_int_equal(transport_write_in_turn(t, TRANSPORT_TURN_RTS, "jkl", 3, in_ms(2000), NULL),
		ERR_OK);
	assert_int_equal(read(b->master, in, sizeof in), 3);
	take_log(b, log);
	assert_string_equal(log, "set dtr=1 rts=1 set dtr=1 rts=0 ");

	/* An exchange takes its turn by itself, also where somebody listens in. */
	set(b, "ttyTEST0.cts", 1);
	const struct driver_host host = {.source = "test"};
	t = trace_host(t, &host);
	struct exchange x;
	exchange_init(&x, t, 19200, 0);
	x.turn = TRANSPORT_TURN_RTS_CTS;
	assert_int_equal(exchange_tell(&x, span_of("mno"), in_ms(2000), NULL), ERR_OK);
	assert_int_equal(read(b->master, in, sizeof in), 3);
	take_log(b, log);
	assert_string_equal(log, "set dtr=1 rts=1 set dtr=1 rts=0 ");
	t->ops->destroy(t);
}

/* The sentence that helps is about the adapter: the motor was never asked. */
static void test_no_cts_is_told(void **state)
{
	const struct bench *b = *state;
	const struct focuser_driver *driver = focuser_driver_find("celestron");
	const struct driver_host host = {.clock = clock_real(), .source = "test"};
	struct focuser_port port = {.port = "/dev/ttyTEST0", .quirks = "aux-port"};
	struct focuser_caps caps;
	struct err err = {.text = ""};
	void *ctx = calloc(1, driver->ctx_size);
	assert_non_null(ctx);
	set(b, "ttyTEST0.cts", -1);
	assert_int_equal(driver->open(ctx, &port, &host, &err), ERR_OK);
	assert_int_equal(driver->identify(ctx, &caps, &err), ERR_TIMEOUT);
	if (strstr(err.text, "CTS does not come up") == NULL || strstr(err.text, "no-cts") == NULL) {
		fail_msg("%s", err.text);
	}
	int waiting = 0;
	assert_int_equal(ioctl(b->master, FIONREAD, &waiting), 0);
	assert_int_equal(waiting, 0);
	driver->close(ctx);
	free(ctx);
}

/* Ten bits a byte at 1200 baud: 12 bytes need 100 ms, whatever the kernel's queue says. */
static void test_drain_waits_for_the_wire(void **state)
{
	(void)state;
	struct transport *t = open_with(&(struct transport_settings){.baud = 1200});
	int64_t before = in_ms(0);
	assert_int_equal(t->ops->write_all(t, "123456789012", 12, in_ms(2000), NULL), ERR_OK);
	assert_int_equal(t->ops->drain(t, in_ms(5), NULL), ERR_TIMEOUT);
	assert_int_equal(t->ops->drain(t, in_ms(5000), NULL), ERR_OK);
	assert_true(in_ms(0) >= before + 100);
	t->ops->destroy(t);
}

static void test_exclusive(void **state)
{
	const struct bench *b = *state;
	struct transport *t = open_ok();
	refuse("/dev/ttyTEST0", "/dev/ttyTEST0 is in use by this program itself");
	/* What the refused one must not have done: change the line. */
	struct termios tio;
	assert_int_equal(tcgetattr(b->master, &tio), 0);
	assert_int_equal(tio.c_cflag & HUPCL, 0);
	assert_int_equal(t->ops->write_all(t, "x", 1, in_ms(1000), NULL), ERR_OK);
	int exclusive = 0;
	assert_int_equal(ioctl(b->master, TIOCGEXCL, &exclusive), 0);
	t->ops->destroy(t);
	t = open_ok();
	t->ops->destroy(t);
}

/* Another process has it: by TIOCEXCL, or only by flock; it is named. */
static void test_names_the_culprit(void **state)
{
	const struct bench *b = *state;
	for (int with_flock = 0; with_flock < 2; with_flock++) {
		struct termios before;
		assert_int_equal(tcgetattr(b->master, &before), 0);
		before.c_cflag |= CSTOPB;
		assert_int_equal(tcsetattr(b->master, TCSANOW, &before), 0);
		int ready[2];
		int go[2];
		assert_int_equal(pipe(ready), 0);
		assert_int_equal(pipe(go), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(go[1]);
			int fd = open(b->terminal, O_RDWR | O_NOCTTY);
			if (with_flock ? flock(fd, LOCK_EX | LOCK_NB) : ioctl(fd, TIOCEXCL)) {
				_exit(1);
			}
			char c = 0;
			if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) < 0) {
				_exit(2);
			}
			ioctl(fd, TIOCNXCL);
			_exit(0);
		}
		char c;
		close(go[0]);
		assert_int_equal(read(ready[0], &c, 1), 1);
		char who[64];
		snprintf(who, sizeof who, "test_serial (pid %d)", (int)child);
		refuse("/dev/ttyTEST0", who);
		struct termios after;
		assert_int_equal(tcgetattr(b->master, &after), 0);
		assert_int_equal(after.c_cflag & CSTOPB, CSTOPB);
		close(go[1]);
		close(ready[0]);
		close(ready[1]);
		int status = -1;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	struct transport *t = open_ok();
	t->ops->destroy(t);
}

static void test_refused(void **state)
{
	const struct bench *b = *state;
	static const struct {
		int error;
		const char *text;
	} rows[] = {
		{EACCES, "group dialout"},
		{EBUSY, "in use by another program"},
		{ENXIO, "unplugged or without power"},
		{EMFILE, "Too many open files"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set(b, "ttyTEST0.open", rows[i].error);
		refuse("/dev/ttyTEST0", rows[i].text);
	}
	set(b, "ttyTEST0.open", 0);
	/* A node without a device behind it, as the spare ttyS are. */
	set(b, "ttyTEST0.lines", EIO);
	refuse("/dev/ttyTEST0", "no serial port behind it");
	set(b, "ttyTEST0.lines", 0);
	char link[128];
	path_of(b, "ttyTEST0", link);
	unlink(link);
	refuse("/dev/ttyTEST0", "there is no /dev/ttyTEST0");
}

/* By-id names are links to the node; the library refuses them unresolved. */
static void test_link_is_resolved(void **state)
{
	const struct bench *b = *state;
	char link[128];
	path_of(b, "by-id", link);
	assert_int_equal(symlink("/dev/ttyTEST0", link), 0);
	struct transport *t = NULL;
	static const struct transport_settings settings = {.baud = 9600};
	assert_int_equal(transport_open(link, &settings, in_ms(500), &t, NULL), ERR_OK);
	assert_string_equal(t->ops->name, "serial");
	assert_string_equal(t->ops->describe(t), "/dev/ttyTEST0");
	assert_true(transport_can_reset(link));
	t->ops->destroy(t);
}

static void test_silence_is_no_unplug(void **state)
{
	(void)state;
	struct transport *t = open_ok();
	char in[8];
	size_t got = 1;
	int64_t deadline_ms = in_ms(30);
	assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, deadline_ms, NULL), ERR_TIMEOUT);
	assert_true(in_ms(0) >= deadline_ms);
	assert_int_equal(got, 0);
	t->ops->destroy(t);
}

static void *hang_up(void *arg)
{
	struct bench *b = arg;
	close(b->master);
	b->master = -1;
	return NULL;
}

/* While a read waits for a minute: it ends at once, and not as a timeout. */
static void test_unplugged_while_reading(void **state)
{
	struct bench *b = *state;
	struct transport *t = open_ok();
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, hang_up, b), 0);
	char in[8];
	size_t got = 0;
	int64_t deadline_ms = in_ms(60000);
	struct err err;
	assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, deadline_ms, &err), ERR_IO);
	assert_true(in_ms(0) < deadline_ms);
	assert_non_null(strstr(err.text, "/dev/ttyTEST0 is gone"));
	pthread_join(thread, NULL);
	assert_int_equal(t->ops->discard_input(t, NULL), ERR_IO);
	assert_int_equal(t->ops->write_all(t, "x", 1, in_ms(60000), NULL), ERR_IO);
	assert_int_equal(t->ops->drain(t, in_ms(60000), NULL), ERR_IO);
	t->ops->destroy(t);
}

static void test_errors_while_reading(void **state)
{
	const struct bench *b = *state;
	static const int errors[] = {EIO, ENODEV, ENXIO};
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		struct transport *t = open_ok();
		set(b, "ttyTEST0.read", errors[i]);
		char in[8];
		size_t got = 0;
		struct err err;
		assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, in_ms(60000), &err), ERR_IO);
		assert_non_null(strstr(err.text, "is gone"));
		set(b, "ttyTEST0.read", 0);
		t->ops->destroy(t);
	}
}

/* What an exchange makes of such a port. */
static void test_garbage_and_hang_up_in_an_exchange(void **state)
{
	struct bench *b = *state;
	struct transport *t = open_ok();
	struct exchange x;
	exchange_init(&x, t, 9600, 0);
	struct span frame;
	struct err err;
	assert_int_equal(write(b->master, "\xFF\xFE", 2), 2);
	pthread_t thread;
	assert_int_equal(exchange_ask(&x, span_of(":GP#"), moonlite_scan, &frame, in_ms(20), &err),
		ERR_TIMEOUT);
	assert_int_equal(write(b->master, "\xFF\xFE#4E", 5), 5);
	assert_int_equal(exchange_next(&x, moonlite_scan, &frame, in_ms(20), &err), ERR_PROTOCOL);
	assert_int_equal(pthread_create(&thread, NULL, hang_up, b), 0);
	assert_int_equal(exchange_next(&x, moonlite_scan, &frame, in_ms(60000), &err), ERR_IO);
	pthread_join(thread, NULL);
	assert_int_equal(exchange_ask(&x, span_of(":GP#"), moonlite_scan, &frame, in_ms(60000), &err),
		ERR_IO);
	t->ops->destroy(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_line_settings),
		TEST(test_passes_every_byte),
		TEST(test_lines_at_open_and_close),
		TEST(test_lines_on_demand),
		TEST(test_turns),
		TEST(test_no_cts_is_told),
		TEST(test_drain_waits_for_the_wire),
		TEST(test_exclusive),
		TEST(test_names_the_culprit),
		TEST(test_refused),
		TEST(test_link_is_resolved),
		TEST(test_silence_is_no_unplug),
		TEST(test_unplugged_while_reading),
		TEST(test_errors_while_reading),
		TEST(test_garbage_and_hang_up_in_an_exchange),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
