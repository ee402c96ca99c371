/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server over a loopback socket, with Alpaca behind it and a core in memory, and a client that reads replies
 * byte by byte.  A failed step fails the test that runs.
 */
#ifndef FOCUSD_TEST_HTTP_RIG_H
#define FOCUSD_TEST_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fake_core.h"
#include "http.h"

/* The request timeout of rig_setup_impatient(), and how long /blocks holds a thread, in ms. */
#define IMPATIENT_MS 200
#define BLOCK_MS (5 * IMPATIENT_MS)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of the test that runs. */
extern struct fake *fake;
extern struct http_server *server;

/* Beside Alpaca the server has /stream (a line for each of stream_lines, until stream_over), /blocks (holds its thread
 * for BLOCK_MS), /static and /echo. */
extern _Atomic int stream_lines, stream_over;
extern _Atomic int stream_releases, stream_sleeps; /* how often a stream was let go of, and had nothing to send */
extern _Atomic int blocked;                        /* how often a thread was held */

/* Answers what the server is asked, for a second server of a test's own. */
enum http_result rig_handle(void *arg, const struct http_request *req, struct http_response *res);

/* Start a server for one test: with its own request timeout, or with IMPATIENT_MS.  For cmocka. */
int rig_setup(void **state);
int rig_setup_impatient(void **state);
int rig_teardown(void **state);
/* Stops the server before the test ends. */
void rig_stop(void);
#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
#define RIG_TEST_IMPATIENT(fn) cmocka_unit_test_setup_teardown(fn, rig_setup_impatient, rig_teardown)

/* ---- a client; fd is a connection ---- */

struct reply {
	int status;
	char head[2048];
	char body[70000];
	size_t len;
	bool closed; /* the server closed before a whole reply came */
};

#define GET_POSITION "GET /api/v1/focuser/0/position HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* A connection that gives a silent server a minute. */
int dial(void);
void say(int fd, const char *text);
/* Reads one reply into static memory; has_body false after HEAD. */
struct reply *hear(int fd, bool has_body);
/* Waits for the next byte: false when the server closed instead; and the other way round, without the byte. */
bool read_byte(int fd, char *out);
bool is_closed(int fd);
/* Says and hears; the second on a connection of its own. */
struct reply *exchange(int fd, const char *text);
struct reply *once(const char *text);
/* Sends a PUT of this form to a member of focuser 0. */
void put(int fd, const char *member, const char *form);

#endif
