/* SPDX-License-Identifier: MIT */
#include "alpaca_upstream.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 16, ROOM = 4096, WIDE = 31, HIGH = 22, MAX_BIN = 3 };

struct connection {
	int fd;
	size_t len;
	char in[ROOM];
};

static void must(bool fine, const char *what)
{
	if (!fine) {
		perror(what);
		abort();
	}
}

static void send_all(int fd, const void *data, size_t size)
{
	const char *at = data;
	while (size > 0) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
		if (n <= 0) {
			return;
		}
		at += n;
		size -= (size_t)n;
	}
}

static void answer(struct upstream *u, int fd, const char *value, int number, const char *words)
{
	char body[600], head[200];
	int n = snprintf(body, sizeof body,
		"{%s%s%s\"ClientTransactionID\":0,\"ServerTransactionID\":%u,"
		"\"ErrorNumber\":%d,\"ErrorMessage\":\"%s\"}",
		value != NULL ? "\"Value\":" : "", value != NULL ? value : "", value != NULL ? "," : "",
		(unsigned)++u->transaction, number, words);
	int h = snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", n);
	send_all(fd, head, (size_t)h);
	send_all(fd, body, (size_t)n);
}

static void answer_number(struct upstream *u, int fd, double value)
{
	char text[40];
	snprintf(text, sizeof text, "%.10g", value);
	answer(u, fd, text, 0, "");
}

static void answer_bool(struct upstream *u, int fd, bool value)
{
	answer(u, fd, value ? "true" : "false", 0, "");
}

/* The number behind "Name=" in a form; 0 without. */
static double field(const char *form, const char *name)
{
	const char *at = strstr(form, name);
	return at != NULL ? strtod(at + strlen(name), NULL) : 0.0;
}

static bool field_true(const char *form, const char *name)
{
	const char *at = strstr(form, name);
	return at != NULL && strncmp(at + strlen(name), "True", 4) == 0;
}

/* ---- the focuser ---- */

static double where(const struct upstream *u)
{
	double way = (double)(clock_now_ms(u->clock) - u->began_ms) / 1000.0 * u->steps_per_s;
	way = u->stall > 0 && way > u->stall ? u->stall : way;
	double left = fabs(u->target - u->start);
	way = way < left ? way : left;
	return floor(u->target >= u->start ? u->start + way : u->start - way);
}

static void go(struct upstream *u, double target)
{
	u->start = where(u);
	u->stall = atomic_load(&u->stalls_after);
	u->target = target;
	u->began_ms = clock_now_ms(u->clock);
}

static bool focuser_put(struct upstream *u, int fd, const char *member, const char *form)
{
	if (strcmp(member, "move") == 0) {
		atomic_fetch_add(&u->moves, 1);
		go(u, field(form, "Position=") + atomic_load(&u->beside));
	} else if (strcmp(member, "halt") == 0) {
		atomic_fetch_add(&u->halts, 1);
		go(u, where(u));
	} else if (strcmp(member, "tempcomp") != 0) {
		return false;
	}
	answer(u, fd, NULL, 0, "");
	return true;
}

static bool focuser_get(struct upstream *u, int fd, const char *member)
{
	if (strcmp(member, "absolute") == 0 || strcmp(member, "tempcompavailable") == 0) {
		answer_bool(u, fd, true);
	} else if (strcmp(member, "maxstep") == 0 || strcmp(member, "maxincrement") == 0) {
		answer_number(u, fd, UPSTREAM_MAX_STEP);
	} else if (strcmp(member, "stepsize") == 0) {
		answer(u, fd, NULL, 0x400, "StepSize is not known");
	} else if (strcmp(member, "tempcomp") == 0) {
		answer_bool(u, fd, false);
	} else if (strcmp(member, "temperature") == 0) {
		answer_number(u, fd, 4.5);
	} else if (strcmp(member, "ismoving") == 0) {
		answer_bool(u, fd, where(u) != u->target);
	} else if (strcmp(member, "position") == 0) {
		answer_number(u, fd, where(u));
	} else {
		return false;
	}
	return true;
}

/* ---- the camera ---- */

static bool exposing(const struct upstream *u)
{
	return u->exists && clock_now_ms(u->clock) < u->exposure_end_ms;
}

static uint32_t pixel(const struct upstream *u, size_t i)
{
	return (uint32_t)(i * 7 + 1) % (uint32_t)(u->max_adu + 1);
}

/* The picture as text: Value[x][y], or Value[x][y][colour]. */
static void send_text(struct upstream *u, int fd)
{
	int32_t x = u->frame[4] + (atomic_load(&u->spoilt) ? 1 : 0), y = u->frame[5];
	/* A number of 32 bits, a comma, and for each pixel two brackets. */
	size_t cap = 200 + (size_t)x * ((size_t)y * ((size_t)u->planes * 11 + 3) + 3), n = 0;
	char *body = calloc(1, cap);
	must(body != NULL, "calloc");
	n += (size_t)snprintf(body, cap, "{\"Type\":2,\"Rank\":%d,\"Value\":[", u->planes == 1 ? 2 : 3);
	for (size_t i = 0; i < (size_t)x * (size_t)y; i++) {
		n += (size_t)snprintf(body + n, cap - n, "%s", i % (size_t)y == 0 ? i == 0 ? "[" : "],[" : ",");
		for (int k = 0; k < u->planes; k++) {
			n += (size_t)snprintf(body + n, cap - n, "%s%u", u->planes == 1 ? "" : k == 0 ? "[" : ",",
				(unsigned)pixel(u, i * (size_t)u->planes + (size_t)k));
		}
		n += (size_t)snprintf(body + n, cap - n, "%s", u->planes == 1 ? "" : "]");
	}
	n += (size_t)snprintf(body + n, cap - n, "]],\"ServerTransactionID\":%u,\"ErrorNumber\":0,"
		"\"ErrorMessage\":\"\"}", (unsigned)++u->transaction);
	char head[120];
	int len = snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", n);
	send_all(fd, head, (size_t)len);
	send_all(fd, body, n);
	free(body);
}

static void send_picture(struct upstream *u, int fd)
{
	if (u->element == 0) {
		send_text(u, fd);
		return;
	}
	static const int sizes[] = {0, 2, 4, 8, 4, 8, 1, 8, 2, 4};
	int32_t x = u->frame[4] + (atomic_load(&u->spoilt) ? 1 : 0), y = u->frame[5];
	size_t count = (size_t)x * (size_t)y * (size_t)u->planes;
	size_t size = (size_t)sizes[u->element];
	unsigned char *body = calloc(1, 44 + count * size);
	must(body != NULL, "calloc");
	bool flat = u->planes == 1;
	const int32_t head[] = {1, 0, 0, 0, 44, 2, u->element, flat ? 2 : 3, x, y, flat ? 0 : u->planes};
	memcpy(body, head, sizeof head);
	for (size_t i = 0; i < count; i++) {
		uint32_t value = pixel(u, i);
		memcpy(body + 44 + i * size, &value, size < sizeof value ? size : sizeof value);
	}
	char text[200];
	int n = snprintf(text, sizeof text,
		"HTTP/1.1 200 OK\r\nContent-Type: application/imagebytes\r\nContent-Length: %zu\r\n\r\n",
		44 + count * size);
	send_all(fd, text, (size_t)n);
	send_all(fd, body, 44 + count * size);
	free(body);
}

/* A cooler that comes within a degree of its set point in some minutes; 20 degrees without. */
static double sensor_c(struct upstream *u)
{
	int64_t now_ms = clock_now_ms(u->clock);
	double to = u->cooler ? u->set_point_c : 20.0;
	u->sensor_c = to + (u->sensor_c - to) * exp(-(double)(now_ms - u->cooled_ms) / 120000.0);
	u->cooled_ms = now_ms;
	return u->sensor_c;
}

static const char *const frame_members[] = {"binx", "biny", "startx", "starty", "numx", "numy"};
static const char *const frame_fields[] = {"BinX=", "BinY=", "StartX=", "StartY=", "NumX=", "NumY="};

static bool camera_put(struct upstream *u, int fd, const char *member, const char *form)
{
	for (int i = 0; i < 6; i++) {
		if (strcmp(member, frame_members[i]) == 0) {
			u->frame[i] = (int)field(form, frame_fields[i]);
			answer(u, fd, NULL, 0, "");
			return true;
		}
	}
	if (strcmp(member, "startexposure") == 0) {
		if (exposing(u)) {
			answer(u, fd, NULL, 0x40B, "An exposure is going on");
			return true;
		}
		u->exists = true;
		u->exposure_ms = (int64_t)ceil(field(form, "Duration=") * 1000.0);
		u->exposure_end_ms = clock_now_ms(u->clock) + u->exposure_ms;
	} else if (strcmp(member, "abortexposure") == 0) {
		u->exists = exposing(u) ? false : u->exists;
	} else if (strcmp(member, "stopexposure") == 0) {
		if (exposing(u)) {
			u->exposure_ms -= u->exposure_end_ms - clock_now_ms(u->clock);
			u->exposure_end_ms = clock_now_ms(u->clock);
		}
	} else if (strcmp(member, "gain") == 0) {
		u->gain = (int)field(form, "Gain=");
	} else if (strcmp(member, "setccdtemperature") == 0) {
		(void)sensor_c(u);
		u->set_point_c = field(form, "SetCCDTemperature=");
	} else if (strcmp(member, "cooleron") == 0) {
		(void)sensor_c(u);
		u->cooler = field_true(form, "CoolerOn=");
	} else {
		return false;
	}
	answer(u, fd, NULL, 0, "");
	return true;
}

/* What never changes; NAN for what is no number of these. */
static double camera_constant(const struct upstream *u, const char *member)
{
	const struct {
		const char *member;
		double value;
	} rows[] = {
		{"cameraxsize", WIDE}, {"cameraysize", HIGH}, {"maxbinx", MAX_BIN}, {"maxbiny", MAX_BIN},
		{"exposuremin", 0.001}, {"exposuremax", 3600}, {"exposureresolution", 0.001}, {"pixelsizex", 3.76},
		{"sensortype", u->sensor_type}, {"bayeroffsetx", 1}, {"bayeroffsety", 0}, {"maxadu", u->max_adu},
		{"electronsperadu", 0.5}, {"gain", u->gain}, {"gainmin", 0}, {"gainmax", 300},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(member, rows[i].member) == 0) {
			return rows[i].value;
		}
	}
	return NAN;
}

static bool camera_get(struct upstream *u, int fd, const char *member)
{
	double constant = camera_constant(u, member);
	static const char *const yes[] = {
		"canabortexposure", "canstopexposure", "cansetccdtemperature", "cangetcoolerpower"};
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (strcmp(member, yes[i]) == 0) {
			answer_bool(u, fd, true);
			return true;
		}
	}
	if (isfinite(constant)) {
		answer_number(u, fd, constant);
	} else if (strcmp(member, "imageready") == 0) {
		answer_bool(u, fd, u->exists && !exposing(u));
	} else if (strcmp(member, "camerastate") == 0) {
		answer_number(u, fd, exposing(u) ? 2 : 0);
	} else if (strcmp(member, "lastexposureduration") == 0) {
		answer_number(u, fd, (double)u->exposure_ms / 1000.0);
	} else if (strcmp(member, "imagearray") == 0) {
		send_picture(u, fd);
	} else if (strcmp(member, "ccdtemperature") == 0) {
		answer_number(u, fd, sensor_c(u));
	} else if (strcmp(member, "setccdtemperature") == 0) {
		answer_number(u, fd, u->set_point_c);
	} else if (strcmp(member, "cooleron") == 0) {
		answer_bool(u, fd, u->cooler);
	} else if (strcmp(member, "coolerpower") == 0) {
		answer_number(u, fd, u->cooler ? 40 : 0);
	} else {
		return false;
	}
	return true;
}

/* ---- the server ---- */

static void common(struct upstream *u, int fd, bool put, const char *path, const char *member)
{
	if (strstr(path, "configureddevices") != NULL) {
		answer(u, fd, "[{\"DeviceName\":\"Test focuser\",\"DeviceType\":\"Focuser\",\"DeviceNumber\":0,"
			"\"UniqueID\":\"f-1\"},{\"DeviceName\":\"Test camera\",\"DeviceType\":\"Camera\","
			"\"DeviceNumber\":0,\"UniqueID\":\"c-1\"}]", 0, "");
	} else if (strcmp(member, "interfaceversion") == 0) {
		answer_number(u, fd, 4);
	} else if (strcmp(member, "connected") == 0) {
		answer_bool(u, fd, u->connected);
	} else if (strcmp(member, "connecting") == 0) {
		answer_bool(u, fd, false);
	} else if (put && (strcmp(member, "connect") == 0 || strcmp(member, "disconnect") == 0)) {
		u->connected = member[0] == 'c';
		answer(u, fd, NULL, 0, "");
	} else {
		answer(u, fd, NULL, 0x400, "There is no such member");
	}
}

static void serve(struct upstream *u, int fd, bool put, char *path, const char *form)
{
	atomic_fetch_add(&u->requests, 1);
	if (atomic_load(&u->silent)) {
		return;
	}
	path[strcspn(path, "?")] = '\0';
	const char *slash = strrchr(path, '/');
	const char *member = slash != NULL ? slash + 1 : path;
	bool focuser = strstr(path, "/focuser/0/") != NULL;
	bool camera = strstr(path, "/camera/0/") != NULL;
	bool done = focuser ? (put ? focuser_put(u, fd, member, form) : focuser_get(u, fd, member))
		: camera && (put ? camera_put(u, fd, member, form) : camera_get(u, fd, member));
	if (!done) {
		common(u, fd, put, path, member);
	}
}

/* Takes whole requests out of what has come. */
static void take(struct upstream *u, struct connection *c)
{
	char *end;
	c->in[c->len] = '\0';
	while ((end = strstr(c->in, "\r\n\r\n")) != NULL) {
		const char *length = strcasestr(c->in, "content-length:");
		size_t body = length != NULL && length < end ? (size_t)strtoul(length + 15, NULL, 10) : 0;
		size_t head = (size_t)(end - c->in) + 4;
		if (c->len < head + body) {
			return;
		}
		char verb[8] = "", path[400] = "", form[400] = "";
		sscanf(c->in, "%7s %399s", verb, path);
		snprintf(form, sizeof form, "%.*s", (int)body, c->in + head);
		serve(u, c->fd, strcmp(verb, "PUT") == 0, path, form);
		memmove(c->in, c->in + head + body, c->len - head - body + 1);
		c->len -= head + body;
	}
}

static void drop(struct connection *c)
{
	close(c->fd);
	*c = (struct connection){.fd = -1};
}

static void *run(void *arg)
{
	struct upstream *u = arg;
	static _Thread_local struct connection connections[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++) {
		connections[i] = (struct connection){.fd = -1};
	}
	for (;;) {
		struct pollfd fds[CONNECTIONS + 2];
		for (int i = 0; i < CONNECTIONS; i++) {
			fds[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
		}
		fds[CONNECTIONS] = (struct pollfd){.fd = u->listener, .events = POLLIN};
		fds[CONNECTIONS + 1] = (struct pollfd){.fd = u->stop_fd, .events = POLLIN};
		if (poll(fds, CONNECTIONS + 2, -1) < 0) {
			continue;
		}
		if (fds[CONNECTIONS + 1].revents != 0) {
			break;
		}
		for (int i = 0; i < CONNECTIONS; i++) {
			struct connection *c = &connections[i];
			if (c->fd < 0 || fds[i].revents == 0) {
				continue;
			}
			ssize_t n = read(c->fd, c->in + c->len, ROOM - 1 - c->len);
			if (n <= 0) {
				drop(c);
				continue;
			}
			c->len += (size_t)n;
			take(u, c);
		}
		if (fds[CONNECTIONS].revents != 0) {
			int fd = accept(u->listener, NULL, NULL);
			int free_at = 0;
			while (free_at < CONNECTIONS - 1 && connections[free_at].fd >= 0) {
				free_at++;
			}
			if (connections[free_at].fd >= 0) {
				drop(&connections[free_at]);
			}
			/* Head and body are two pieces, which must not wait for each other. */
			int on = 1;
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
			connections[free_at].fd = fd;
		}
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		if (connections[i].fd >= 0) {
			drop(&connections[i]);
		}
	}
	return NULL;
}

void upstream_start(struct upstream *u)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	u->start = u->target = UPSTREAM_HOME;
	u->steps_per_s = u->steps_per_s > 0 ? u->steps_per_s : 2000;
	u->element = u->element > 0 ? u->element : 8;
	u->planes = u->planes > 0 ? u->planes : 1;
	u->max_adu = u->max_adu > 0 ? u->max_adu : 65535;
	u->frame[0] = u->frame[1] = 1;
	u->frame[4] = WIDE;
	u->frame[5] = HIGH;
	u->sensor_c = 20.0;
	u->cooled_ms = clock_now_ms(u->clock);
	u->stop_fd = eventfd(0, EFD_CLOEXEC);
	u->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(u->stop_fd >= 0 && u->listener >= 0, "socket");
	must(bind(u->listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
	must(listen(u->listener, 16) == 0, "listen");
	must(getsockname(u->listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
	u->port = ntohs(address.sin_port);
	must(pthread_create(&u->thread, NULL, run, u) == 0, "pthread_create");
}

void upstream_stop(struct upstream *u)
{
	(void)eventfd_write(u->stop_fd, 1);
	pthread_join(u->thread, NULL);
	close(u->listener);
	close(u->stop_fd);
}
