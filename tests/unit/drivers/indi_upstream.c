/* SPDX-License-Identifier: MIT */
#include "indi_upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "Toy camera"
#define ROOM (64 << 10)

static long long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0) {
			return; /* the client has gone */
		}
		data += n;
		len -= (size_t)n;
	}
}

/* Tells all clients that listen to everything. */
static void tell(struct indi_upstream *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct indi_upstream *u, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		if (u->client[i].fd >= 0 && !u->client[i].only) {
			send_all(u->client[i].fd, text, (size_t)n);
		}
	}
}

static void tell_connection(struct indi_upstream *u, const char *word, const char *state)
{
	const char *one = word[0] == 'd' ? "def" : "one";
	tell(u, "<%sSwitchVector device=\"" DEVICE "\" name=\"CONNECTION\" state=\"%s\" perm=\"rw\">"
		"<%sSwitch name=\"CONNECT\">%s</%sSwitch><%sSwitch name=\"DISCONNECT\">%s</%sSwitch>"
		"</%sSwitchVector>\n", word, state, one, u->connected ? "On" : "Off", one, one,
		u->connected ? "Off" : "On", one, word);
}

static void define_number(struct indi_upstream *u, const char *name, const char *member, double value, double low,
	double high)
{
	tell(u, "<defNumberVector device=\"" DEVICE "\" name=\"%s\" state=\"Idle\" perm=\"rw\"><defNumber name=\"%s\" "
		"format=\"%%g\" min=\"%g\" max=\"%g\" step=\"0\">%g</defNumber></defNumberVector>\n", name, member,
		low, high, value);
}

static void tell_frame(struct indi_upstream *u, const char *word, const char *one)
{
	tell(u, "<%sNumberVector device=\"" DEVICE "\" name=\"CCD_FRAME\" state=\"Ok\" perm=\"rw\">"
		"<%sNumber name=\"X\">%d</%sNumber><%sNumber name=\"Y\">%d</%sNumber>"
		"<%sNumber name=\"WIDTH\">%d</%sNumber><%sNumber name=\"HEIGHT\">%d</%sNumber></%sNumberVector>\n",
		word, one, u->frame[0], one, one, u->frame[1], one, one, u->frame[2], one, one, u->frame[3], one, word);
}

static void define(struct indi_upstream *u)
{
	tell_connection(u, "def", "Idle");
	tell(u, "<defTextVector device=\"" DEVICE "\" name=\"DRIVER_INFO\" state=\"Idle\" perm=\"ro\">"
		"<defText name=\"DRIVER_INTERFACE\">2</defText></defTextVector>\n");
	if (!u->connected) {
		return;
	}
	define_number(u, "CCD_EXPOSURE", "CCD_EXPOSURE_VALUE", 1, 0.01, 3600);
	define_number(u, "CCD_GAIN", "GAIN", 5, 0, 100);
	tell(u, "<defSwitchVector device=\"" DEVICE "\" name=\"CCD_ABORT_EXPOSURE\" state=\"Idle\" perm=\"rw\">"
		"<defSwitch name=\"ABORT\">Off</defSwitch></defSwitchVector>\n");
	tell(u, "<defNumberVector device=\"" DEVICE "\" name=\"CCD_BINNING\" state=\"Ok\" perm=\"rw\"><defNumber "
		"name=\"HOR_BIN\" min=\"1\" max=\"3\">%d</defNumber><defNumber name=\"VER_BIN\" min=\"1\" max=\"3\">%d"
		"</defNumber></defNumberVector>\n", u->bin, u->bin);
	tell_frame(u, "def", "def");
	tell(u, "<defBLOBVector device=\"" DEVICE "\" name=\"CCD1\" state=\"Idle\" perm=\"ro\"><defBLOB name=\"CCD1\"/>"
		"</defBLOBVector>\n");
	tell(u, "<defNumberVector device=\"" DEVICE "\" name=\"CCD_INFO\" state=\"Idle\" perm=\"ro\"><defNumber "
		"name=\"CCD_MAX_X\">%d</defNumber><defNumber name=\"CCD_MAX_Y\">%d</defNumber><defNumber "
		"name=\"CCD_PIXEL_SIZE\">3.8</defNumber><defNumber name=\"CCD_BITSPERPIXEL\">%d</defNumber>"
		"</defNumberVector>\n", INDI_UPSTREAM_WIDE, INDI_UPSTREAM_HIGH, u->bits);
}

static void tell_exposure(struct indi_upstream *u, const char *state, double left)
{
	tell(u, "<setNumberVector device=\"" DEVICE "\" name=\"CCD_EXPOSURE\" state=\"%s\"><oneNumber "
		"name=\"CCD_EXPOSURE_VALUE\">%g</oneNumber></setNumberVector>\n", state, left);
}

/* ---- pictures ---- */

static size_t put_card(char *file, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static size_t put_card(char *file, size_t at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(file + at, 81, fmt, ap);
	va_end(ap);
	memset(file + at + n, ' ', (size_t)(80 - n));
	return at + 80;
}

static size_t make_file(const struct indi_upstream *u, char *file)
{
	int wide = u->frame[2] / u->bin, high = u->frame[3] / u->bin;
	size_t at = 0;
	memset(file, ' ', 2880);
	at = put_card(file, at, "SIMPLE  =                    T");
	at = put_card(file, at, "BITPIX  = %20d", u->bits);
	at = put_card(file, at, "NAXIS   =                    2");
	at = put_card(file, at, "NAXIS1  = %20d", wide);
	at = put_card(file, at, "NAXIS2  = %20d", high);
	at = put_card(file, at, "BZERO   = %20d", u->bits == 16 ? 32768 : 0);
	at = put_card(file, at, "EXPTIME = %20.6f", u->exposure_s);
	put_card(file, at, "END");
	at = 2880;
	for (int i = 0; i < wide * high; i++) {
		int value = (i * 7 + u->frame[0] + u->frame[1]) % 251;
		if (u->bits == 16) {
			int stored = value * 200 - 32768;
			file[at++] = (char)(stored >> 8);
		}
		file[at++] = u->bits == 16 ? (char)(value * 200) : (char)value;
	}
	while (at % 2880 != 0) {
		file[at++] = 0;
	}
	return at;
}

static size_t encode(const char *file, size_t len, char *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)file;
	size_t at = 0;
	/* A FITS file's length is a multiple of three. */
	for (size_t i = 0; i + 2 < len; i += 3) {
		uint32_t group = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
		for (int k = 3; k >= 0; k--) {
			out[at++] = letters[group >> (6 * k) & 63];
		}
		if (i % 54 == 51) {
			out[at++] = '\n';
		}
	}
	return at;
}

static void deliver(struct indi_upstream *u)
{
	char *file = malloc(ROOM), *text = malloc(2 * ROOM);
	size_t len = make_file(u, file);
	/* Spoilt: the second half of the pixels is not there. */
	len = atomic_load(&u->spoilt) ? 2880 + 30 : len;
	size_t n = (size_t)snprintf(text, ROOM, "<setBLOBVector device=\"" DEVICE "\" name=\"CCD1\" state=\"Ok\">"
		"<oneBLOB name=\"CCD1\" size=\"%zu\" format=\".fits\">\n", len);
	n += encode(file, len, text + n);
	n += (size_t)snprintf(text + n, 100, "</oneBLOB></setBLOBVector>\n");
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		if (u->client[i].fd >= 0 && u->client[i].pictures) {
			send_all(u->client[i].fd, text, n);
		}
	}
	free(file);
	free(text);
}

static void over(struct indi_upstream *u)
{
	u->ends_ms = 0;
	if (atomic_load(&u->fault) == INDI_UPSTREAM_HANGS) {
		return;
	}
	if (atomic_load(&u->fault) != INDI_UPSTREAM_NO_PICTURE) {
		deliver(u);
	}
	tell_exposure(u, "Ok", 0);
}

/* ---- orders ---- */

double indi_number_behind(const char *text, const char *member)
{
	char name[40];
	snprintf(name, sizeof name, "name=\"%s\">", member);
	const char *at = strstr(text, name);
	return at != NULL ? strtod(at + strlen(name), NULL) : 0;
}

static void obey(struct indi_upstream *u, int who, const char *text)
{
	if (strstr(text, "<getProperties") != NULL) {
		u->client[who].only = strstr(text, "device=") != NULL;
		if (!u->client[who].only) {
			define(u);
		}
	} else if (strstr(text, "<pingRequest") != NULL) {
		tell(u, "<pingReply uid=\"focusd\"/>\n");
	} else if (strstr(text, "<enableBLOB") != NULL) {
		u->client[who].pictures = strstr(text, ">Also<") != NULL;
	} else if (strstr(text, "\"CONNECTION\"") != NULL) {
		u->connected = true;
		tell_connection(u, "set", "Ok");
		define(u);
	} else if (strstr(text, "\"CCD_BINNING\"") != NULL) {
		u->bin = (int)indi_number_behind(text, "HOR_BIN");
		tell(u, "<setNumberVector device=\"" DEVICE "\" name=\"CCD_BINNING\" state=\"Ok\"><oneNumber "
			"name=\"HOR_BIN\">%d</oneNumber><oneNumber name=\"VER_BIN\">%d</oneNumber></setNumberVector>\n",
			u->bin, u->bin);
	} else if (strstr(text, "\"CCD_FRAME\"") != NULL) {
		static const char *const members[] = {"X", "Y", "WIDTH", "HEIGHT"};
		for (int i = 0; i < 4; i++) {
			u->frame[i] = (int)indi_number_behind(text, members[i]);
		}
		tell_frame(u, "set", "one");
	} else if (strstr(text, "\"CCD_ABORT_EXPOSURE\"") != NULL) {
		u->ends_ms = 0;
		tell_exposure(u, "Idle", 0);
	} else if (strstr(text, "\"CCD_EXPOSURE\"") != NULL && atomic_load(&u->fault) != INDI_UPSTREAM_DEAF) {
		u->exposure_s = indi_number_behind(text, "CCD_EXPOSURE_VALUE");
		u->ends_ms = now_ms() + (long long)(u->exposure_s * 1000) + 1;
		tell_exposure(u, "Busy", u->exposure_s);
	}
}

char *indi_element_end(char *text)
{
	char *tag_end = strchr(text, '>');
	if (tag_end == NULL || tag_end[-1] == '/') {
		return tag_end;
	}
	char name[40];
	snprintf(name, sizeof name, "</%.*s>", (int)strcspn(text + 1, " >"), text + 1);
	char *end = strstr(tag_end, name);
	return end != NULL ? end + strlen(name) - 1 : NULL;
}

static void listen_to(struct indi_upstream *u, int who)
{
	char *said = u->client[who].said;
	size_t *len = &u->client[who].len;
	ssize_t n = recv(u->client[who].fd, said + *len, sizeof u->client[who].said - 1 - *len, 0);
	if (n <= 0) {
		close(u->client[who].fd);
		u->client[who].fd = -1;
		return;
	}
	*len += (size_t)n;
	said[*len] = '\0';
	char *at = strchr(said, '<');
	while (at != NULL) {
		char *end = indi_element_end(at);
		if (end == NULL) {
			break;
		}
		char kept = end[1];
		end[1] = '\0';
		obey(u, who, at);
		end[1] = kept;
		at = strchr(end + 1, '<');
	}
	*len = at != NULL ? (size_t)(said + *len - at) : 0;
	if (at != NULL) {
		memmove(said, at, *len);
	}
}

static void take_client(struct indi_upstream *u)
{
	int fd = accept(u->listener, NULL, NULL);
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		if (u->client[i].fd < 0 && fd >= 0) {
			memset(&u->client[i], 0, sizeof u->client[i]);
			u->client[i].fd = fd;
			fd = -1;
		}
	}
	if (fd >= 0) {
		close(fd);
	}
}

static void *serve(void *arg)
{
	struct indi_upstream *u = arg;
	for (;;) {
		struct pollfd p[INDI_UPSTREAM_CLIENTS + 2];
		for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
			p[i] = (struct pollfd){.fd = u->client[i].fd, .events = POLLIN};
		}
		p[INDI_UPSTREAM_CLIENTS] = (struct pollfd){.fd = u->listener, .events = POLLIN};
		p[INDI_UPSTREAM_CLIENTS + 1] = (struct pollfd){.fd = u->stop[0], .events = POLLIN};
		long long left = u->ends_ms - now_ms();
		poll(p, INDI_UPSTREAM_CLIENTS + 2, u->ends_ms == 0 ? -1 : left > 0 ? (int)left : 0);
		if (p[INDI_UPSTREAM_CLIENTS + 1].revents != 0) {
			return NULL;
		}
		for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
			if (u->client[i].fd >= 0 && p[i].fd >= 0 && p[i].revents != 0) {
				listen_to(u, i);
			}
		}
		if (p[INDI_UPSTREAM_CLIENTS].revents != 0) {
			take_client(u);
		}
		if (u->ends_ms != 0 && now_ms() >= u->ends_ms) {
			over(u);
		}
	}
}

void indi_upstream_start(struct indi_upstream *u)
{
	struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof where;
	u->frame[0] = u->frame[1] = 0;
	u->frame[2] = INDI_UPSTREAM_WIDE;
	u->frame[3] = INDI_UPSTREAM_HIGH;
	u->bin = 1;
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		u->client[i].fd = -1;
	}
	u->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (u->listener < 0 || bind(u->listener, (struct sockaddr *)&where, size) != 0 || listen(u->listener, 8) != 0
		|| getsockname(u->listener, (struct sockaddr *)&where, &size) != 0 || pipe(u->stop) != 0
		|| pthread_create(&u->thread, NULL, serve, u) != 0) {
		perror("indi_upstream");
		abort();
	}
	u->port = ntohs(where.sin_port);
}

void indi_upstream_stop(struct indi_upstream *u)
{
	if (write(u->stop[1], "", 1) != 1) {
		abort();
	}
	pthread_join(u->thread, NULL);
	for (int i = 0; i < INDI_UPSTREAM_CLIENTS; i++) {
		if (u->client[i].fd >= 0) {
			close(u->client[i].fd);
		}
	}
	close(u->listener);
	close(u->stop[0]);
	close(u->stop[1]);
}
