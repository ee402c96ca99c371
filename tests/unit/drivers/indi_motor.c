/* SPDX-License-Identifier: MIT */
#include "indi_motor.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "indi_upstream.h"

#define DEVICE "Toy focuser"
/* A motor on its way tells where it is this often. */
#define TELL_MS 20

static struct {
	int fd; /* -1 none */
	char said[8192];
	size_t len;
} client[INDI_UPSTREAM_CLIENTS];

/* Of the motor's rest everybody has been told; of a stalled one nobody ever is. */
static bool told_rest;

static void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		/* A few hundred bytes fit into the buffer of a socket that is read. */
		if (client[i].fd >= 0 && send(client[i].fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
			shutdown(client[i].fd, SHUT_RDWR);
		}
	}
}

/* Where the motor is; *rests tells whether it has arrived. */
static int position(const struct upstream *u, bool *rests)
{
	double way = u->target - u->start;
	double most = way < 0 ? -way : way;
	double gone = (double)(clock_now_ms(u->clock) - u->began_ms) * u->steps_per_s / 1000.0;
	double end = u->stall > 0 && u->stall < most ? u->stall : most;
	*rests = gone >= most && end == most;
	gone = gone < end ? gone : end;
	return (int)(u->start + (way < 0 ? -gone : gone));
}

static void tell_position(struct upstream *u, const char *state)
{
	bool rests;
	tell("<setNumberVector device=\"" DEVICE "\" name=\"ABS_FOCUS_POSITION\" state=\"%s\"><oneNumber "
		"name=\"FOCUS_ABSOLUTE_POSITION\">%d</oneNumber></setNumberVector>\n", state, position(u, &rests));
}

static void tell_connection(const struct upstream *u, const char *word, const char *one)
{
	tell("<%sSwitchVector device=\"" DEVICE "\" name=\"CONNECTION\" state=\"Ok\" perm=\"rw\"><%sSwitch "
		"name=\"CONNECT\">%s</%sSwitch></%sSwitchVector>\n", word, one, u->connected ? "On" : "Off", one, word);
}

static void define(struct upstream *u)
{
	bool rests;
	int at = position(u, &rests);
	tell_connection(u, "def", "def");
	tell("<defTextVector device=\"" DEVICE "\" name=\"DRIVER_INFO\" state=\"Idle\" perm=\"ro\">"
		"<defText name=\"DRIVER_INTERFACE\">8</defText></defTextVector>\n");
	if (u->connected) {
		tell("<defNumberVector device=\"" DEVICE "\" name=\"ABS_FOCUS_POSITION\" state=\"%s\" perm=\"rw\">"
			"<defNumber name=\"FOCUS_ABSOLUTE_POSITION\" min=\"0\" max=\"%d\">%d</defNumber>"
			"</defNumberVector>\n", rests ? "Ok" : "Busy", UPSTREAM_MAX_STEP, at);
		tell("<defSwitchVector device=\"" DEVICE "\" name=\"FOCUS_ABORT_MOTION\" state=\"Idle\" perm=\"rw\">"
			"<defSwitch name=\"ABORT\">Off</defSwitch></defSwitchVector>\n");
	}
}

static void go(struct upstream *u, double target)
{
	bool rests;
	u->start = position(u, &rests);
	u->target = target;
	u->began_ms = clock_now_ms(u->clock);
	u->stall = atomic_load(&u->stalls_after);
}

static void obey(struct upstream *u, const char *text)
{
	bool rests;
	int at = position(u, &rests);
	if (strstr(text, "<getProperties") != NULL) {
		define(u);
		return;
	}
	if (strstr(text, "<pingRequest") != NULL) {
		tell("<pingReply uid=\"focusd\"/>\n");
		return;
	}
	atomic_fetch_add(&u->requests, 1);
	if (strstr(text, "\"CONNECTION\"") != NULL) {
		u->connected = true;
		tell_connection(u, "set", "one");
		define(u);
	} else if (strstr(text, "\"ABS_FOCUS_POSITION\"") != NULL) {
		atomic_fetch_add(&u->moves, 1);
		go(u, indi_number_behind(text, "FOCUS_ABSOLUTE_POSITION") + atomic_load(&u->beside));
		told_rest = false;
		tell_position(u, "Busy");
	} else if (strstr(text, "\"FOCUS_ABORT_MOTION\"") != NULL) {
		atomic_fetch_add(&u->halts, 1);
		u->start = u->target = at;
		if (!told_rest) {
			told_rest = true;
			tell_position(u, "Idle");
		}
		tell("<setSwitchVector device=\"" DEVICE "\" name=\"FOCUS_ABORT_MOTION\" state=\"Ok\"><oneSwitch "
			"name=\"ABORT\">Off</oneSwitch></setSwitchVector>\n");
	}
}

static void listen_to(struct upstream *u, int who)
{
	char *said = client[who].said;
	ssize_t n = recv(client[who].fd, said + client[who].len, sizeof client[who].said - 1 - client[who].len, 0);
	if (n <= 0) {
		close(client[who].fd);
		client[who].fd = -1;
		return;
	}
	client[who].len += (size_t)n;
	said[client[who].len] = '\0';
	char *at = strchr(said, '<');
	char *end = at != NULL ? indi_element_end(at) : NULL;
	while (end != NULL) {
		char kept = end[1];
		end[1] = '\0';
		obey(u, at);
		end[1] = kept;
		at = strchr(end + 1, '<');
		end = at != NULL ? indi_element_end(at) : NULL;
	}
	client[who].len = at != NULL ? strlen(at) : 0;
	memmove(said, at != NULL ? at : said, client[who].len);
}

static void take_client(struct upstream *u)
{
	int fd = accept(u->listener, NULL, NULL);
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS && fd >= 0; i++) {
		if (client[i].fd < 0) {
			client[i].fd = fd;
			client[i].len = 0;
			return;
		}
	}
	close(fd);
}

static void *serve(void *arg)
{
	struct upstream *u = arg;
	for (;;) {
		bool rests;
		struct pollfd p[INDI_UPSTREAM_CLIENTS + 2];
		for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
			p[i] = (struct pollfd){.fd = client[i].fd, .events = POLLIN};
		}
		p[INDI_UPSTREAM_CLIENTS] = (struct pollfd){.fd = u->listener, .events = POLLIN};
		p[INDI_UPSTREAM_CLIENTS + 1] = (struct pollfd){.fd = u->stop_fd, .events = POLLIN};
		poll(p, INDI_UPSTREAM_CLIENTS + 2, told_rest ? -1 : TELL_MS);
		if (p[INDI_UPSTREAM_CLIENTS + 1].revents != 0) {
			return NULL;
		}
		(void)position(u, &rests);
		if (!told_rest) {
			told_rest = rests;
			tell_position(u, rests ? "Ok" : "Busy");
		}
		for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
			if (p[i].fd >= 0 && p[i].revents != 0) {
				listen_to(u, i);
			}
		}
		if (p[INDI_UPSTREAM_CLIENTS].revents != 0) {
			take_client(u);
		}
	}
}

void indi_motor_start(struct upstream *u)
{
	struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof where;
	u->start = u->target = UPSTREAM_HOME;
	u->connected = false;
	told_rest = true;
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		client[i].fd = -1;
	}
	u->stop_fd = eventfd(0, EFD_CLOEXEC);
	u->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (u->stop_fd < 0 || u->listener < 0 || bind(u->listener, (struct sockaddr *)&where, size) != 0
		|| listen(u->listener, 8) != 0 || getsockname(u->listener, (struct sockaddr *)&where, &size) != 0
		|| pthread_create(&u->thread, NULL, serve, u) != 0) {
		perror("indi_motor");
		abort();
	}
	u->port = ntohs(where.sin_port);
}

void indi_motor_stop(struct upstream *u)
{
	uint64_t one = 1;
	if (write(u->stop_fd, &one, sizeof one) != sizeof one) {
		abort();
	}
	pthread_join(u->thread, NULL);
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		if (client[i].fd >= 0) {
			close(client[i].fd);
		}
	}
	close(u->listener);
	close(u->stop_fd);
}
