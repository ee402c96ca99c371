/* SPDX-License-Identifier: MIT */
/* Whose time it is that the sweeper counts: over real sockets, with times of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_peers.h"

#define TIMEOUT_US 10000000
#define PERIOD_US 2000000

static struct turn turn;
static struct peer peer;
static struct peer *list;
static int client;
static int64_t now_us;
static int crowd;

/* 16 kB/s and 20 s, as the server has it; and what that rate makes in a period. */
#define LEAST_RATE 16000
#define BEHIND_US 20000000
#define PERIOD_BYTES (LEAST_RATE * (PERIOD_US / 1000000))

static int setup(void **state)
{
	(void)state;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(&turn, 0, sizeof turn);
	memset(&peer, 0, sizeof peer);
	list = NULL;
	crowd = 1;
	if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&at, &len) != 0 ||
		connect(client, (struct sockaddr *)&at, sizeof at) != 0) {
		return -1;
	}
	peer.fd = accept(listener, NULL, NULL);
	peer.turn = &turn;
	close(listener);
	peers_add(&list, &peer);
	now_us = turn_now_us();
	return peer.fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	peers_remove(&list, &peer);
	close(client);
	close(peer.fd);
	return list == NULL ? 0 : -1;
}

/* The client sends; the server reads of it what it is said to. */
static void send_and_read(const char *text, size_t read)
{
	char in[64];
	assert_int_equal(send(client, text, strlen(text), 0), strlen(text));
	/* What is sent over loopback has arrived when send() returns. */
	assert_int_equal(recv(peer.fd, in, read, MSG_WAITALL), read);
}

static void sweep_after(int64_t us)
{
	struct peer_rules rules = {.timeout_us = TIMEOUT_US,
		.period_us = PERIOD_US,
		.crowd = crowd,
		.least_rate = LEAST_RATE,
		.behind_us = BEHIND_US};
	peers_sweep(list, &rules, now_us, now_us + us);
	now_us += us;
}

static bool is_shut(void)
{
	char in;
	return recv(client, &in, 1, MSG_DONTWAIT) == 0;
}

/* Sweeps the client may stay through from the first that sees his request begun. */
static int sweeps_survived(void)
{
	int sweeps = 0;
	sweep_after(PERIOD_US);
	while (sweeps < 100 && !is_shut()) {
		sweep_after(PERIOD_US);
		sweeps++;
	}
	return sweeps;
}

static void a_request_that_does_not_end_is_cut(void **state)
{
	(void)state;
	send_and_read("GET / HT", 8);
	assert_int_equal(sweeps_survived(), TIMEOUT_US / PERIOD_US);
}

/* Five sweeps are the timeout; sweeps_survived() makes one before it counts. */
static void who_never_speaks_is_cut(void **state)
{
	(void)state;
	assert_int_equal(sweeps_survived(), TIMEOUT_US / PERIOD_US - 1);
}

static void who_never_speaks_goes_early_in_a_crowd(void **state)
{
	(void)state;
	crowd = 0;
	assert_int_equal(sweeps_survived(), 0);
}

static void silence_behind_an_answer_is_not_counted(void **state)
{
	(void)state;
	crowd = 0;
	send_and_read("GET / HT", 8);
	atomic_fetch_add(&peer.finished, 1);
	assert_int_equal(sweeps_survived(), 100);
}

static void bytes_that_lie_unread_are_our_time(void **state)
{
	(void)state;
	send_and_read("PUT /halt", 4);
	assert_int_equal(sweeps_survived(), 100);
	/* As soon as they are read, it is the client's turn again, and he has all his time. */
	char in[8];
	assert_int_equal(recv(peer.fd, in, 5, 0), 5);
	assert_int_equal(sweeps_survived(), TIMEOUT_US / PERIOD_US - 1);
}

static void a_held_thread_is_our_time(void **state)
{
	(void)state;
	send_and_read("GET / HT", 8);
	atomic_store(&turn.entered_us, now_us);
	assert_int_equal(sweeps_survived(), 100);
	/* It came back within the last period: that period is not the client's either, the next one is. */
	atomic_store(&turn.held_until_us, now_us + PERIOD_US / 2);
	atomic_store(&turn.entered_us, 0);
	sweep_after(PERIOD_US);
	assert_int_equal(peer.spent_us, 0);
	sweep_after(PERIOD_US);
	assert_int_equal(peer.spent_us, PERIOD_US);
}

static void a_thread_that_turns_is_not_held(void **state)
{
	(void)state;
	send_and_read("GET / HT", 8);
	sweep_after(PERIOD_US);
	/* It is inside for a moment at every sweep, as under load. */
	while (!is_shut()) {
		atomic_store(&turn.entered_us, now_us + PERIOD_US - 1000);
		sweep_after(PERIOD_US);
		assert_true(peer.spent_us <= TIMEOUT_US);
	}
	assert_int_equal(peer.spent_us, TIMEOUT_US);
}

static void a_late_sweep_counts_one_period(void **state)
{
	(void)state;
	send_and_read("GET / HT", 8);
	sweep_after(PERIOD_US);
	sweep_after(100 * (int64_t)TIMEOUT_US);
	assert_int_equal(peer.spent_us, PERIOD_US);
	assert_false(is_shut());
}

static void turns_are_measured(void **state)
{
	(void)state;
	int64_t before_us = turn_now_us();
	turn_enter(&turn);
	assert_true(turn_leave(&turn) >= 0);
	assert_false(turn_was_held(&turn, before_us, turn_now_us()));
	/* As if it had been entered long ago. */
	turn_enter(&turn);
	atomic_fetch_sub(&turn.entered_us, TURN_HELD_MS * 1000 + 1);
	assert_true(turn_was_held(&turn, before_us, turn_now_us()));
	assert_true(turn_leave(&turn) > TURN_HELD_MS * 1000);
	assert_true(turn_was_held(&turn, before_us, turn_now_us()));
	assert_false(turn_was_held(&turn, turn_now_us() + 1, turn_now_us() + 2));
}

/* ---- answers ---- */

/* An answer that keeps memory has begun. */
static void begin_answer(void)
{
	atomic_store(&peer.answering, true);
	atomic_store(&peer.keeps, true);
	snprintf(peer.asked, sizeof peer.asked, "/picture");
	sweep_after(PERIOD_US);
}

/* Fills the socket as the server does while the client takes nothing: some bytes then wait to be taken. */
static void offer(void)
{
	static const char block[65536];
	while (send(peer.fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
	}
}

/* The client takes so many bytes, which the server replaces, until `want` bytes more are known to have been taken. */
static void take_and_offer(size_t want)
{
	static char in[65536];
	while (want > 0) {
		ssize_t n = recv(client, in, want < sizeof in ? want : sizeof in, 0);
		assert_true(n > 0);
		want -= (size_t)n;
		offer();
	}
}

static bool is_cut(void)
{
	/* A socket that was shut takes nothing more. */
	return send(peer.fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE;
}

static void who_takes_nothing_is_cut(void **state)
{
	(void)state;
	offer();
	begin_answer();
	for (int i = 0; i < BEHIND_US / PERIOD_US - 1; i++) {
		sweep_after(PERIOD_US);
		assert_false(is_cut());
	}
	sweep_after(PERIOD_US);
	assert_true(is_cut());
}

static void who_keeps_up_is_never_cut(void **state)
{
	(void)state;
	offer();
	begin_answer();
	for (int i = 0; i < 100; i++) {
		take_and_offer(PERIOD_BYTES);
		sweep_after(PERIOD_US);
		assert_false(is_cut());
	}
}

static void who_takes_too_little_is_cut(void **state)
{
	(void)state;
	int sweeps = 0;
	offer();
	begin_answer();
	while (!is_cut()) {
		take_and_offer(PERIOD_BYTES / 2);
		sweep_after(PERIOD_US);
		sweeps++;
	}
	/* At half the rate it takes twice as long; acknowledgements come in lumps of some periods. */
	assert_in_range(sweeps, 2 * BEHIND_US / PERIOD_US - 5, 2 * BEHIND_US / PERIOD_US + 10);
}

static void an_empty_socket_is_our_time(void **state)
{
	(void)state;
	begin_answer();
	for (int i = 0; i < 100; i++) {
		sweep_after(PERIOD_US);
	}
	assert_int_equal(peer.behind_us, 0);
	assert_false(is_cut());
}

static void a_held_thread_and_a_late_sweep_are_our_time(void **state)
{
	(void)state;
	offer();
	begin_answer();
	atomic_store(&turn.entered_us, now_us);
	for (int i = 0; i < 100; i++) {
		sweep_after(PERIOD_US);
	}
	assert_int_equal(peer.behind_us, 0);
	atomic_store(&turn.entered_us, 0);
	sweep_after(100 * (int64_t)BEHIND_US);
	assert_int_equal(peer.behind_us, PERIOD_US);
	assert_false(is_cut());
}

/* Who reads many short answers is measured anew for each, and an answer that keeps nothing is not measured. */
static void only_one_answer_that_keeps_memory_is_measured(void **state)
{
	(void)state;
	offer();
	begin_answer();
	for (int i = 0; i < 100; i++) {
		atomic_fetch_add(&peer.finished, 1);
		sweep_after(PERIOD_US);
	}
	assert_int_equal(peer.behind_us, 0);
	atomic_store(&peer.keeps, false);
	for (int i = 0; i < 100; i++) {
		sweep_after(PERIOD_US);
	}
	assert_false(is_cut());
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_that_does_not_end_is_cut),
		TEST(who_never_speaks_is_cut),
		TEST(who_never_speaks_goes_early_in_a_crowd),
		TEST(silence_behind_an_answer_is_not_counted),
		TEST(bytes_that_lie_unread_are_our_time),
		TEST(a_held_thread_is_our_time),
		TEST(a_thread_that_turns_is_not_held),
		TEST(a_late_sweep_counts_one_period),
		TEST(turns_are_measured),
		TEST(who_takes_nothing_is_cut),
		TEST(who_keeps_up_is_never_cut),
		TEST(who_takes_too_little_is_cut),
		TEST(an_empty_socket_is_our_time),
		TEST(a_held_thread_and_a_late_sweep_are_our_time),
		TEST(only_one_answer_that_keeps_memory_is_measured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
