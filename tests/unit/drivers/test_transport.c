/* SPDX-License-Identifier: MIT */
/* Pipes over real pseudo terminals and local sockets.  Where the system sets the expectation it is
 * POSIX: raw terminals pass every byte, a closed peer is end of file. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "transport.h"

static const struct transport_settings settings = {.baud = 9600};

static int64_t in_ms(int64_t ms)
{
	return clock_now_ms(clock_real()) + ms;
}

/* A terminal pair whose far end is the returned descriptor. */
static int make_pty(char *path, size_t cap)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, path, cap), 0);
	return master;
}

static struct transport *open_ok(const char *where)
{
	struct transport *t = NULL;
	struct err err;
	if (transport_open(where, &settings, in_ms(2000), &t, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return t;
}

static void read_exactly(struct transport *t, char *out, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t got = 0;
		assert_int_equal(t->ops->read_some(t, out + at, n - at, &got, in_ms(2000), NULL),
			ERR_OK);
		assert_true(got > 0);
		at += got;
	}
}

static void test_pty_passes_every_byte(void **state)
{
	(void)state;
	char path[64];
	int master = make_pty(path, sizeof path);
	struct transport *t = open_ok(path);
	assert_string_equal(t->ops->name, "termios");
	assert_string_equal(t->ops->describe(t), path);
	unsigned char all[256];
	for (int i = 0; i < 256; i++) {
		all[i] = (unsigned char)i;
	}
	assert_int_equal(write(master, all, sizeof all), sizeof all);
	char in[256];
	read_exactly(t, in, sizeof in);
	assert_memory_equal(in, all, sizeof all);
	assert_int_equal(t->ops->write_all(t, all, sizeof all, in_ms(2000), NULL), ERR_OK);
	size_t got = 0;
	while (got < sizeof in) {
		ssize_t n = read(master, in + got, sizeof in - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(in, all, sizeof all);
	assert_int_equal(t->ops->set_lines(t, true, false, NULL), ERR_OK);
	t->ops->destroy(t);
	close(master);
}

static void test_timeout_and_discard(void **state)
{
	(void)state;
	char path[64];
	int master = make_pty(path, sizeof path);
	struct transport *t = open_ok(path);
	char in[16];
	size_t got = 9;
	struct err err;
	assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, in_ms(20), &err), ERR_TIMEOUT);
	assert_int_equal(got, 0);
	assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, in_ms(-5), &err), ERR_TIMEOUT);
	assert_int_equal(write(master, "old", 3), 3);
	assert_int_equal(t->ops->discard_input(t, &err), ERR_OK);
	assert_int_equal(write(master, "new", 3), 3);
	read_exactly(t, in, 3);
	assert_memory_equal(in, "new", 3);
	t->ops->destroy(t);
	close(master);
}

static void test_full_line_times_out(void **state)
{
	(void)state;
	char path[64];
	int master = make_pty(path, sizeof path);
	struct transport *t = open_ok(path);
	static char much[256 * 1024];
	assert_int_equal(t->ops->write_all(t, much, sizeof much, in_ms(50), NULL), ERR_TIMEOUT);
	t->ops->destroy(t);
	close(master);
}

static void test_unplugged_pty_is_gone(void **state)
{
	(void)state;
	char path[64];
	int master = make_pty(path, sizeof path);
	struct transport *t = open_ok(path);
	assert_int_equal(write(master, "4E2", 3), 3);
	close(master);
	char in[16];
	size_t got = 0;
	struct err err;
	/* What had arrived may still be read or not; after it the device is gone, not silent. */
	enum err_code code = t->ops->read_some(t, in, sizeof in, &got, in_ms(60000), &err);
	if (code == ERR_OK) {
		code = t->ops->read_some(t, in, sizeof in, &got, in_ms(60000), &err);
	}
	assert_int_equal(code, ERR_IO);
	assert_non_null(strstr(err.text, "is gone"));
	assert_int_equal(got, 0);
	assert_int_equal(t->ops->write_all(t, "x", 1, in_ms(60000), &err), ERR_IO);
	assert_int_equal(t->ops->discard_input(t, &err), ERR_IO);
	t->ops->destroy(t);
}

static void test_exclusive_and_reopened(void **state)
{
	(void)state;
	char path[64];
	int master = make_pty(path, sizeof path);
	/* Somebody keeps it open, as an emulator does: what we do to the terminal outlives us. */
	int kept = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(kept >= 0);
	struct transport *t = open_ok(path);
	struct transport *second = NULL;
	struct err err;
	assert_int_equal(transport_open(path, &settings, in_ms(100), &second, &err), ERR_IO);
	assert_non_null(strstr(err.text, "in use by this program itself"));
	assert_null(second);
	int exclusive = 0;
	assert_int_equal(ioctl(kept, TIOCGEXCL, &exclusive), 0);
	assert_int_equal(exclusive, 1);
	t->ops->destroy(t);
	assert_int_equal(ioctl(kept, TIOCGEXCL, &exclusive), 0);
	assert_int_equal(exclusive, 0);
	t = open_ok(path);
	t->ops->destroy(t);
	close(kept);
	close(master);
}

static void test_link_is_resolved(void **state)
{
	(void)state;
	char path[64];
	int master = make_pty(path, sizeof path);
	char folder[] = "/tmp/focusd-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char link[64];
	snprintf(link, sizeof link, "%s/port", folder);
	assert_int_equal(symlink(path, link), 0);
	struct transport *t = open_ok(link);
	assert_string_equal(t->ops->describe(t), path);
	assert_false(transport_can_reset(link));
	t->ops->destroy(t);
	unlink(link);
	rmdir(folder);
	close(master);
}

static void test_what_cannot_be_opened(void **state)
{
	(void)state;
	static const struct {
		const char *where;
		enum err_code code;
		const char *text;
	} rows[] = {
		{"/dev/serial/by-id/usb-nothing", ERR_IO, "there is no /dev/serial/by-id/usb-nothing"},
		{"/dev/null", ERR_IO, "no serial port"},
		{"/etc/passwd", ERR_IO, "no serial port"},
		{"ttyUSB0", ERR_INVALID_VALUE, "did you mean /dev/ttyUSB0?"},
		{"", ERR_INVALID_VALUE, "is no port"},
		{"tcp://", ERR_INVALID_VALUE, "names no host"},
		{"tcp://host", ERR_INVALID_VALUE, "has no port number: write tcp://host:2000"},
		{"tcp://host:", ERR_INVALID_VALUE, "not tcp://host:port"},
		{"tcp://:4001", ERR_INVALID_VALUE, "names no host"},
		{"tcp://host:0", ERR_INVALID_VALUE, "not tcp://host:port"},
		{"tcp://host:65536", ERR_INVALID_VALUE, "not tcp://host:port"},
		{"tcp://host:4001x", ERR_INVALID_VALUE, "not tcp://host:port"},
		{"tcp://::1:4001", ERR_INVALID_VALUE, "stands in brackets"},
		{"tcp://[]:4001", ERR_INVALID_VALUE, "not tcp://host:port"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct transport *t = NULL;
		struct err err;
		enum err_code code = transport_open(rows[i].where, &settings, in_ms(500), &t, &err);
		if (code != rows[i].code || strstr(err.text, rows[i].text) == NULL || t != NULL) {
			fail_msg("%s: %d %s", rows[i].where, (int)code, err.text);
		}
	}
	assert_true(transport_can_reset("/dev/ttyUSB0"));
	assert_false(transport_can_reset("tcp://10.0.0.2:4001"));
	assert_true(transport_rate_matters("/dev/ttyUSB0"));
	assert_true(transport_rate_matters("tcp://10.0.0.2:4001"));
	assert_false(transport_rate_matters("/dev/ttyACM0"));
}

/* What people write for a port, most of it seen in reports of other programs' users, and what they are told. */
static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *where, *says; /* NULL: it can be a port */
	} rows[] = {
		{"/dev/ttyUSB0", NULL},
		{"/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0", NULL},
		{"/dev/pts/7", NULL},
		{"tcp://192.168.4.1:2020", NULL},
		{"tcp://pier3.local:1", NULL},
		{"tcp://[fe80::1%eth0]:65535", NULL},
		{"COM3", "a port of Windows"},
		{"com12:", "a port of Windows"},
		{"\\\\.\\COM12", "a port of Windows"},
		{"company", "is no port: write /dev/serial/by-id/..."},
		{"dev/ttyUSB0", "did you mean /dev/ttyUSB0?"},
		{"rfcomm0", "did you mean /dev/rfcomm0?"},
		{"serial/by-id/usb-x", "did you mean /dev/serial/by-id/usb-x?"},
		{"by-id/usb-x", "did you mean /dev/serial/by-id/usb-x?"},
		{"usb-1a86_USB_Serial-if00-port0", "did you mean /dev/serial/by-id/usb-1a86_USB_Serial-if00-port0?"},
		{"file:///dev/ttyUSB0", "did you mean /dev/ttyUSB0?"},
		{"telnet://192.168.4.1:23", "one on the network is tcp://host:port"},
		{"192.168.4.1:2020", "did you mean tcp://192.168.4.1:2020?"},
		{"tcp:192.168.4.1:2020", "did you mean tcp://192.168.4.1:2020?"},
		{"192.168.4.1", "is no port"},
		{"\"/dev/ttyUSB0\"", "without quotes"},
		{"'/dev/ttyUSB0'", "without quotes"},
		{"/dev/ttyUSB0 # usb", "a comment behind a value begins with ' ;'"},
		{"/dev/serial/by-id/usb-*", "wildcard"},
		{"/dev/ttyUSB?", "wildcard"},
		{"/dev/serial/by-id/", "is a folder"},
		{"tcp://192.168.4.1", "has no port number: write tcp://192.168.4.1:2000"},
		{"tcp://[::1]", "has no port number"},
		{"tcp://192.168.4.1:2020/", "nothing may follow the port number"},
		{"tcp://192.168.4.1 2020", "contains blanks"},
		{"tcp://192.168.4.1:70000", "a port number from 1 to 65535"},
		{"9600", "is no port"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = {.code = ERR_OK};
		enum err_code code = transport_read_name(rows[i].where, &err);
		if (rows[i].says == NULL ? code != ERR_OK
				: code != ERR_INVALID_VALUE || strstr(err.text, rows[i].says) == NULL) {
			fail_msg("%s: %d %s", rows[i].where, (int)code, err.text);
		}
	}
}

static void test_looks_without_opening(void **state)
{
	(void)state;
	static const struct {
		const char *where;
		enum err_code code;
		const char *says;
	} rows[] = {
		{"/dev/null", ERR_OK, ""}, /* a character device, like every port */
		{"tcp://nobody.invalid:1", ERR_OK, ""},
		{"ttyUSB0", ERR_INVALID_VALUE, "did you mean"},
		{"/dev/ttyUSB77", ERR_IO, "there is no /dev/ttyUSB77: unplugged"},
		{"/dev/pts/PUT-THE-NUMBER-HERE", ERR_IO, "it lasts as long as the program that made it"},
		{"/etc/passwd", ERR_IO, "no serial port, but a file of another kind"},
		{"/etc", ERR_IO, "no serial port, but a folder"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = {.code = ERR_OK};
		err.text[0] = '\0';
		enum err_code code = transport_look(rows[i].where, &err);
		if (code != rows[i].code || strstr(err.text, rows[i].says) == NULL) {
			fail_msg("%s: %d %s", rows[i].where, (int)code, err.text);
		}
	}
}

static int listen_local(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1), 0);
	socklen_t len = sizeof at;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void test_tcp(void **state)
{
	(void)state;
	uint16_t port = 0;
	int server = listen_local(&port);
	static const char *const hosts[] = {"127.0.0.1", "localhost"};
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char where[64];
		snprintf(where, sizeof where, "tcp://%s:%u", hosts[i], port);
		struct transport *t = open_ok(where);
		assert_string_equal(t->ops->name, "tcp");
		assert_string_equal(t->ops->describe(t), where);
		int peer = accept(server, NULL, NULL);
		assert_true(peer >= 0);
		assert_int_equal(t->ops->write_all(t, ":GP#", 4, in_ms(2000), NULL), ERR_OK);
		char in[8];
		assert_int_equal(recv(peer, in, 4, MSG_WAITALL), 4);
		assert_memory_equal(in, ":GP#", 4);
		assert_int_equal(send(peer, "old", 3, 0), 3);
		read_exactly(t, in, 3);
		assert_int_equal(send(peer, "4E20#", 5, 0), 5);
		read_exactly(t, in, 5);
		assert_memory_equal(in, "4E20#", 5);
		size_t got = 0;
		assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, in_ms(20), NULL),
			ERR_TIMEOUT);
		assert_int_equal(t->ops->set_lines(t, true, true, NULL), ERR_OK);
		close(peer);
		assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, in_ms(60000), NULL),
			ERR_IO);
		assert_int_equal(t->ops->discard_input(t, NULL), ERR_IO);
		t->ops->destroy(t);
	}
	close(server);
}

/* The other end vanishes without a good-bye, while a read waits for a minute and before a write. */
static void test_tcp_reset(void **state)
{
	(void)state;
	uint16_t port = 0;
	int server = listen_local(&port);
	char where[64];
	snprintf(where, sizeof where, "tcp://127.0.0.1:%u", port);
	struct transport *t = open_ok(where);
	int peer = accept(server, NULL, NULL);
	assert_true(peer >= 0);
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	close(peer);
	char in[8];
	size_t got = 0;
	int64_t deadline_ms = in_ms(60000);
	struct err err;
	assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, deadline_ms, &err), ERR_IO);
	assert_true(in_ms(0) < deadline_ms);
	assert_non_null(strstr(err.text, "is gone"));
	/* The socket tells an error once; after that it is at its end. */
	assert_int_equal(t->ops->read_some(t, in, sizeof in, &got, deadline_ms, &err), ERR_IO);
	assert_int_equal(t->ops->write_all(t, "x", 1, deadline_ms, &err), ERR_IO);
	t->ops->destroy(t);
	close(server);
}

static void test_tcp_refused(void **state)
{
	(void)state;
	uint16_t port = 0;
	close(listen_local(&port));
	char where[64];
	snprintf(where, sizeof where, "tcp://127.0.0.1:%u", port);
	struct transport *t = NULL;
	struct err err;
	assert_int_equal(transport_open(where, &settings, in_ms(2000), &t, &err), ERR_IO);
	assert_non_null(strstr(err.text, "cannot connect to tcp://127.0.0.1:"));
	assert_int_equal(transport_open("tcp://no-such-host.invalid:4001", &settings, in_ms(2000),
				 &t, &err) == ERR_OK, 0);
	assert_null(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pty_passes_every_byte),
		cmocka_unit_test(test_timeout_and_discard),
		cmocka_unit_test(test_full_line_times_out),
		cmocka_unit_test(test_unplugged_pty_is_gone),
		cmocka_unit_test(test_exclusive_and_reopened),
		cmocka_unit_test(test_link_is_resolved),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_looks_without_opening),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_reset),
		cmocka_unit_test(test_tcp_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
