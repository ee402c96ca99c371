/* SPDX-License-Identifier: MIT */
/* The HTTP server over loopback sockets: calls that wait, streams, slow clients and many at once. */
#include "http_rig.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "events.h"

static void waiting_holds_no_thread(void **state)
{
	(void)state;
	struct device *dev = &fake->device[0];
	dev->connected = false;
	dev->hold_connect = true;
	int fds[8];
	/* More waiting calls than threads. */
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = dial();
		put(fds[i], "connected", "Connected=True");
	}
	for (int i = 0; i < 20; i++) {
		struct reply *reply =
			once("GET /api/v1/focuser/0/connected HTTP/1.1\r\nHost: localhost\r\n\r\n");
		assert_non_null(strstr(reply->body, "{\"Value\":false,"));
		events_publish(fake->events); /* news that is not for them */
	}
	fake_finish_connect(fake, dev, ERR_OK);
	for (size_t i = 0; i < COUNT(fds); i++) {
		/* A PUT that came only now starts over and is over at once. */
		fake_lock();
		dev->hold_connect = false;
		fake_unlock();
		struct reply *reply = hear(fds[i], true);
		assert_int_equal(reply->status, 200);
		close(fds[i]);
	}
	/* A deadline resumes as well. */
	int fd = dial();
	put(fd, "action", "Action=Autofocus");
	assert_int_equal(hear(fd, true)->status, 200);
	put(fd, "action", "Action=AutofocusWait&Parameters=0.05");
	assert_non_null(strstr(hear(fd, true)->body, "still running"));
	close(fd);
}

static void stopping_ends_what_waits(void **state)
{
	(void)state;
	fake->device[0].hold_connect = true;
	fake->device[0].connected = false;
	int waiting = dial();
	put(waiting, "connected", "Connected=True");
	int stream = dial();
	say(stream, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(hear(stream, false)->status, 200);
	int idle = dial();
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	int half = dial();
	say(half, "GET /api");
	/* The waiting one is surely inside: its device was asked to connect. */
	for (bool asked = false; !asked;) {
		assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
		fake_lock();
		asked = fake->device[0].link == LINK_OPENING;
		fake_unlock();
	}
	rig_stop();
	struct reply *reply = hear(waiting, true);
	assert_true(reply->closed || reply->status == 503);
	close(waiting);
	close(stream);
	close(idle);
	close(half);
	assert_int_equal(stream_releases, 1);
}

static void streams_are_woken(void **state)
{
	(void)state;
	int fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	struct reply *reply = hear(fd, false);
	assert_int_equal(reply->status, 200);
	assert_non_null(strstr(reply->head, "chunked"));
	for (int i = 0; i < 50; i++) {
		stream_lines++;
		events_publish(fake->events);
		char c = '\0';
		/* One chunk: "5\r\nline\n\r\n". */
		while (c != 'e') {
			assert_true(read_byte(fd, &c));
		}
		for (int k = 0; k < 3; k++) {
			assert_true(read_byte(fd, &c));
		}
	}
	/* Asleep in between: not asked again and again. */
	assert_true(stream_sleeps <= 110);
	stream_over = 1;
	events_publish(fake->events);
	char tail[5];
	for (int k = 0; k < 5; k++) {
		assert_true(read_byte(fd, tail + k));
	}
	assert_memory_equal(tail, "0\r\n\r\n", 5);
	/* The connection is kept: the next request runs on it. */
	assert_int_equal(exchange(fd, GET_POSITION)->status, 200);
	assert_int_equal(stream_releases, 1);
	close(fd);
}

static void slow_senders_starve_nobody(void **state)
{
	(void)state;
	int fds[60];
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = dial();
		say(fds[i], i % 2 == 0
				    ? "G"
				    : "PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 100\r\n\r\nPos");
	}
	int fd = dial();
	for (int i = 0; i < 200; i++) {
		assert_int_equal(exchange(fd, GET_POSITION)->status, 200);
	}
	close(fd);
	for (size_t i = 0; i < COUNT(fds); i++) {
		close(fds[i]);
	}
}

/* With a request timeout of 0.2 s: whoever dribbles is closed, whoever is idle is not. */
static void dribblers_are_closed(void **state)
{
	(void)state;
	int idle = dial();
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	int fresh = dial();
	int header = dial();
	int body = dial();
	int second = dial();
	assert_int_equal(exchange(second, GET_POSITION)->status, 200);
	say(header, "GET /echo HTTP/1.1\r\nX: ");
	say(body, "PUT /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
	int *const dribblers[] = {&header, &body, &second};
	int open = 3;
	while (open > 0) {
		/* The idle connection's round trips pace the loop. */
		assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
		for (size_t i = 0; i < COUNT(dribblers); i++) {
			char c;
			int fd = *dribblers[i];
			if (fd < 0) {
				continue;
			}
			send(fd, "x", 1, MSG_NOSIGNAL);
			ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN) || n > 0) {
				close(fd);
				*dribblers[i] = -1;
				open--;
			}
		}
	}
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	/* Who never said a word goes, too; who has asked once may be silent. */
	char c;
	assert_int_equal(recv(fresh, &c, 1, 0), 0);
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	close(idle);
	close(fresh);
}

/* Requests that came whole while every thread of the server was held are answered afterwards, however long that
 * was, and nobody is cut. */
static void requests_behind_a_held_thread_are_answered(void **state)
{
	(void)state;
	int holders[4];
	int fd[8];
	blocked = 0;
	for (size_t i = 0; i < COUNT(holders); i++) {
		holders[i] = dial();
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = dial();
		assert_int_equal(exchange(fd[i], GET_POSITION)->status, 200);
	}
	for (size_t i = 0; i < COUNT(holders); i++) {
		say(holders[i], "GET /blocks HTTP/1.1\r\nHost: localhost\r\n\r\n");
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		say(fd[i], GET_POSITION);
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		struct reply *reply = hear(fd[i], true);
		assert_false(reply->closed);
		assert_int_equal(reply->status, 200);
		close(fd[i]);
	}
	for (size_t i = 0; i < COUNT(holders); i++) {
		struct reply *reply = hear(holders[i], true);
		assert_false(reply->closed);
		close(holders[i]);
	}
	assert_int_equal(blocked, COUNT(holders));
}

static void *poll_position(void *arg)
{
	int *failures = arg;
	int fd = dial();
	for (int i = 0; i < 200; i++) {
		struct reply reply_head = {.status = 0};
		say(fd, GET_POSITION);
		char text[600];
		size_t n = 0;
		while (n + 1 < sizeof text && (n == 0 || text[n - 1] != '}')) {
			if (!read_byte(fd, text + n)) {
				break;
			}
			n++;
		}
		text[n] = '\0';
		*failures += strstr(text, "{\"Value\":12500,") == NULL;
		(void)reply_head;
	}
	close(fd);
	return NULL;
}

static void many_clients(void **state)
{
	(void)state;
	pthread_t threads[8];
	int failures[8] = {0};
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, poll_position, &failures[i]), 0);
	}
	for (int i = 0; i < 200; i++) {
		events_publish(fake->events);
	}
	for (size_t i = 0; i < COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failures[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(waiting_holds_no_thread),
		RIG_TEST(stopping_ends_what_waits),
		RIG_TEST(streams_are_woken),
		RIG_TEST(slow_senders_starve_nobody),
		RIG_TEST_IMPATIENT(dribblers_are_closed),
		RIG_TEST_IMPATIENT(requests_behind_a_held_thread_are_answered),
		RIG_TEST(many_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
