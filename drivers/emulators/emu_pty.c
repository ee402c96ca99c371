/* SPDX-License-Identifier: MIT */
/*
 * The host of emulated devices: owns the pseudo terminal, passes bytes to the device, and does to
 * the line what real lines do.  One thread.  Waiting for the line is in real time; the device's own
 * clock may run faster.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "emulator.h"

#define DELAY_MS 300
#define SPLIT_MS 20
#define LATE_MS 900
#define LOST_REPLY 6
/* A fault of answers hits the sixth and every twentieth from there, seldom enough that a client who asks again
 * gets through. */
#define BAD_FIRST 6
#define BAD_EVERY 20
#define GARBAGE_EVERY 5
#define BANNER_MS 300
#define DEAF_MS 1500
#define UNPLUG_AFTER_MS 300
#define REPLUG_AFTER_MS 2000
#define MOTION_CHECK_MS 20

/* Bytes on their way to the client. */
struct packet {
	int64_t due_ms;
	size_t len;
	char data[128];
};

#define QUEUE 64

struct emulator {
	const struct emulator_kind *kind;
	struct emulator_settings settings;
	struct clock *clock;
	void *device;
	const char *link;
	emulator_note note;
	void *note_ctx;
	char path[64];
	int master;           /* -1 while unplugged */
	int slave;            /* kept open, so that a client that closes does not end the terminal */
	int watch;            /* inotify: clients opening and closing; -1 without */
	struct packet queue[QUEUE];
	size_t queue_head, queue_len;
	int64_t last_due_ms;
	int64_t heard_us;     /* when the last byte for the device has passed the wire */
	int64_t told_us;      /* when the last one from it has */
	int64_t deaf_until_ms;
	int64_t unplug_ms;    /* when to pull the plug; CLOCK_NEVER */
	int64_t replug_ms;    /* when to put it back */
	int replies;          /* counted for faults that hit one of them */
	bool silent, delay, partial, garbage, lost_once, late, half, duplicate, drop_line;
	bool reset_on_open, speaks;
};

#define FLAG(member) offsetof(struct emulator, member)

const struct emulator_fault emulator_line_faults[] = {
	{"silent", "never answers", FLAG(silent)},
	{"delay", "answers 300 ms late", FLAG(delay)},
	{"partial", "answers byte by byte, 20 ms apart", FLAG(partial)},
	{"garbage", "every fifth answer is noise", FLAG(garbage)},
	{"duplicate", "every answer is sent twice", FLAG(duplicate)},
	{"no-reply-once", "the sixth answer is lost", FLAG(lost_once)},
	{"late-reply", "the sixth answer and every twentieth from there comes 900 ms late", FLAG(late)},
	{"half-reply", "the sixth answer and every twentieth from there breaks off half way", FLAG(half)},
	{"drop-line", "the terminal vanishes 300 ms into the first move, and is back 2 s later", FLAG(drop_line)},
	{"reset-on-open", "opening the terminal resets the controller: boot text, deaf for 1.5 s", FLAG(reset_on_open)},
	{NULL, NULL, 0},
};

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

static void unplug(struct emulator *e)
{
	close_fd(&e->watch);
	close_fd(&e->slave);
	close_fd(&e->master);
	e->queue_len = 0;
}

/* Points the link at the terminal, atomically for whoever looks at it. */
static enum err_code make_link(const struct emulator *e, struct err *err)
{
	char fresh[4096];
	int n = snprintf(fresh, sizeof fresh, "%s.new", e->link);
	if (n < 0 || (size_t)n >= sizeof fresh) {
		return err_set(err, ERR_INVALID_VALUE, "the link's name is too long");
	}
	(void)unlink(fresh);
	if (symlink(e->path, fresh) != 0 || rename(fresh, e->link) != 0) {
		return err_set(err, ERR_IO, "cannot make the link %s: %s", e->link,
			strerror(errno));
	}
	return ERR_OK;
}

static enum err_code plug_in(struct emulator *e, struct err *err)
{
	e->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (e->master < 0 || grantpt(e->master) != 0 || unlockpt(e->master) != 0 ||
		ptsname_r(e->master, e->path, sizeof e->path) != 0) {
		return err_set(err, ERR_IO, "cannot make a pseudo terminal: %s", strerror(errno));
	}
	e->slave = open(e->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios tio;
	if (e->slave < 0 || tcgetattr(e->slave, &tio) != 0) {
		return err_set(err, ERR_IO, "cannot open %s: %s", e->path, strerror(errno));
	}
	cfmakeraw(&tio);
	if (tcsetattr(e->slave, TCSANOW, &tio) != 0 ||
		fcntl(e->master, F_SETFL, O_NONBLOCK) != 0) {
		return err_set(err, ERR_IO, "cannot set up %s: %s", e->path, strerror(errno));
	}
	e->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (e->watch >= 0 && inotify_add_watch(e->watch, e->path, IN_OPEN | IN_CLOSE) < 0) {
		close_fd(&e->watch);
	}
	if (e->reset_on_open && e->watch < 0) {
		return err_set(err, ERR_IO, "this system does not tell who opens a terminal");
	}
	return e->link != NULL ? make_link(e, err) : ERR_OK;
}

enum err_code emulator_create(const struct emulator_kind *kind,
	const struct emulator_settings *settings, const char *link, emulator_note note,
	void *note_ctx, struct emulator **out, struct err *err)
{
	enum err_code code = emulator_check(kind, settings, err);
	if (code != ERR_OK) {
		return code;
	}
	struct emulator *e = calloc(1, sizeof *e);
	if (e == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	e->kind = kind;
	e->settings = *settings;
	e->link = link;
	e->note = note;
	e->note_ctx = note_ctx;
	e->master = -1;
	e->slave = -1;
	e->watch = -1;
	e->unplug_ms = CLOCK_NEVER;
	e->replug_ms = CLOCK_NEVER;
	emulator_raise_faults(emulator_line_faults, settings, e);
	e->clock = clock_create_scaled(settings->time_factor);
	e->speaks = kind->unasked != NULL && kind->speaks_with != NULL &&
		emulator_has_fault(settings, kind->speaks_with, NULL);
	e->device = calloc(1, kind->ctx_size);
	if (e->clock == NULL || e->device == NULL) {
		emulator_destroy(e);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	emulator_raise_faults(kind->faults, &e->settings, e->device);
	kind->init(e->device, &e->settings, e->clock);
	code = plug_in(e, err);
	if (code != ERR_OK) {
		emulator_destroy(e);
		return code;
	}
	*out = e;
	return ERR_OK;
}

const char *emulator_path(const struct emulator *emulator)
{
	return emulator->path;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* A byte is ten bits on the wire. */
static int64_t wire_us(const struct emulator *e, size_t bytes)
{
	return e->settings.baud > 0 ? (int64_t)bytes * 10 * 1000000 / e->settings.baud : 0;
}

static void enqueue(struct emulator *e, const char *data, size_t len, int64_t due_ms)
{
	if (len == 0 || e->queue_len == QUEUE || len > sizeof e->queue[0].data) {
		return;
	}
	if (e->settings.baud > 0) {
		e->told_us = later(due_ms * 1000, later(e->heard_us, e->told_us)) + wire_us(e, len);
		due_ms = (e->told_us + 999) / 1000;
	}
	/* A line keeps the order. */
	if (due_ms < e->last_due_ms) {
		due_ms = e->last_due_ms;
	}
	e->last_due_ms = due_ms;
	struct packet *packet = &e->queue[(e->queue_head + e->queue_len++) % QUEUE];
	packet->due_ms = due_ms;
	packet->len = len;
	memcpy(packet->data, data, len);
}

static void send_reply(struct emulator *e, const struct emulator_reply *reply)
{
	int64_t due_ms = now_ms() + (e->delay ? DELAY_MS : 0);
	size_t len = reply->len;
	bool bad = ++e->replies >= BAD_FIRST && (e->replies - BAD_FIRST) % BAD_EVERY == 0;
	if (e->silent || (e->lost_once && e->replies == LOST_REPLY)) {
		return;
	}
	if (e->late && bad) {
		due_ms += LATE_MS;
	}
	if (e->half && bad) {
		len /= 2;
	}
	if (e->garbage && e->replies % GARBAGE_EVERY == 0) {
		enqueue(e, "\xFE\x80z4\x00?", 6, due_ms);
		return;
	}
	for (int copy = 0; copy < (e->duplicate ? 2 : 1); copy++) {
		size_t chunk = e->partial ? 1 : len;
		for (size_t at = 0; at < len; at += chunk) {
			enqueue(e, reply->data + at, chunk, due_ms);
			due_ms += e->partial ? SPLIT_MS : 0;
		}
	}
}

static void take_bytes(struct emulator *e)
{
	char bytes[256];
	ssize_t n = read(e->master, bytes, sizeof bytes);
	if (n <= 0) {
		return;
	}
	if (now_ms() < e->deaf_until_ms) {
		return;
	}
	if (e->note != NULL) {
		e->note(e->note_ctx, '>', bytes, (size_t)n);
	}
	for (ssize_t i = 0; i < n; i++) {
		struct emulator_reply reply = {.len = 0};
		e->heard_us = later(now_ms() * 1000, e->heard_us) + wire_us(e, 1);
		e->kind->byte(e->device, (uint8_t)bytes[i], &reply);
		if (reply.len > 0) {
			send_reply(e, &reply);
		}
	}
}

static void deliver(struct emulator *e)
{
	while (e->queue_len > 0 && e->queue[e->queue_head].due_ms <= now_ms()) {
		struct packet *packet = &e->queue[e->queue_head];
		/* A terminal that nobody reads fills up; then bytes are lost, as on a wire. */
		ssize_t n = write(e->master, packet->data, packet->len);
		if (n > 0 && e->note != NULL) {
			e->note(e->note_ctx, '<', packet->data, (size_t)n);
		}
		e->queue_head = (e->queue_head + 1) % QUEUE;
		e->queue_len--;
	}
}

static void client_came(struct emulator *e)
{
	if (!e->reset_on_open) {
		return;
	}
	struct emulator_reply banner = {.len = 0};
	e->kind->reset(e->device, &banner);
	e->deaf_until_ms = now_ms() + DEAF_MS;
	e->last_due_ms = 0;
	e->queue_len = 0;
	enqueue(e, banner.data, banner.len, now_ms() + BANNER_MS);
}

/* What the last client left behind must not reach the next one. */
static void client_left(struct emulator *e)
{
	e->queue_len = 0;
	e->last_due_ms = 0;
	e->heard_us = 0;
	e->told_us = 0;
	(void)ioctl(e->slave, TIOCNXCL);
	(void)tcflush(e->slave, TCIFLUSH);
}

static void take_events(struct emulator *e)
{
	union {
		struct inotify_event event;
		char room[1024];
	} in;
	ssize_t n = read(e->watch, &in, sizeof in);
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		struct inotify_event event;
		memcpy(&event, in.room + at, sizeof event);
		at += (ssize_t)(sizeof event + event.len);
		if (event.mask & IN_CLOSE) {
			client_left(e);
		}
		if (event.mask & IN_OPEN) {
			client_came(e);
		}
	}
}

/* Does what is due by time alone; returns when to look again. */
static enum err_code keep_time(struct emulator *e, int64_t *next_ms, struct err *err)
{
	int64_t now = now_ms();
	*next_ms = CLOCK_NEVER;
	if (e->drop_line && e->unplug_ms == CLOCK_NEVER) {
		if (e->kind->moving(e->device)) {
			e->unplug_ms = now + UNPLUG_AFTER_MS;
			e->drop_line = false;
		} else {
			*next_ms = now + MOTION_CHECK_MS;
		}
	}
	if (e->speaks) {
		struct emulator_reply words = {.len = 0};
		e->kind->unasked(e->device, &words);
		enqueue(e, words.data, words.len, now);
		*next_ms = now + MOTION_CHECK_MS;
	}
	if (e->unplug_ms <= now) {
		/* The link goes first, because the number of the terminal may soon be somebody else's. */
		if (e->link != NULL) {
			(void)unlink(e->link);
		}
		unplug(e);
		e->unplug_ms = CLOCK_NEVER;
		/* Without a link nobody could find the new terminal. */
		e->replug_ms = e->link != NULL ? now + REPLUG_AFTER_MS : CLOCK_NEVER;
	}
	if (e->replug_ms <= now) {
		e->replug_ms = CLOCK_NEVER;
		enum err_code code = plug_in(e, err);
		if (code != ERR_OK) {
			return code;
		}
	}
	const int64_t times[] = {e->unplug_ms, e->replug_ms,
		e->queue_len > 0 ? e->queue[e->queue_head].due_ms : CLOCK_NEVER};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		if (times[i] < *next_ms) {
			*next_ms = times[i];
		}
	}
	return ERR_OK;
}

enum err_code emulator_run(struct emulator *e, int stop_fd, struct err *err)
{
	for (;;) {
		int64_t next_ms = CLOCK_NEVER;
		enum err_code code = keep_time(e, &next_ms, err);
		if (code != ERR_OK) {
			return code;
		}
		struct pollfd fds[3] = {
			{.fd = stop_fd, .events = POLLIN},
			{.fd = e->watch, .events = POLLIN},
			{.fd = e->master, .events = POLLIN},
		};
		int n = poll(fds, 3, clock_poll_timeout(clock_real(), next_ms));
		if (n < 0 && errno != EINTR) {
			return err_set(err, ERR_INTERNAL, "poll: %s", strerror(errno));
		}
		if (n > 0 && fds[0].revents != 0) {
			return ERR_OK;
		}
		if (n > 0 && fds[1].revents != 0) {
			take_events(e);
		}
		if (n > 0 && fds[2].revents != 0) {
			take_bytes(e);
		}
		if (e->master >= 0) {
			deliver(e);
		}
	}
}

void emulator_destroy(struct emulator *e)
{
	if (e == NULL) {
		return;
	}
	bool linked = e->link != NULL && e->path[0] != '\0';
	unplug(e);
	if (linked) {
		(void)unlink(e->link);
	}
	clock_destroy(e->clock);
	free(e->device);
	free(e);
}
