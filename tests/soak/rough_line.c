/* SPDX-License-Identifier: MIT */
#include "rough_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "emu_moonlite.h"

const char *const rough_fault_name[ROUGH_FAULTS] = {"lost reply", "half reply", "lost digit", "garbage",
	"late reply", "reply twice", "lost command", "unplugged", "stall"};

/* One reply or command in so many. */
static const int one_in[ROUGH_FAULTS] = {
	[ROUGH_LOST_REPLY] = 80,
	[ROUGH_HALF_REPLY] = 160,
	[ROUGH_LOST_DIGIT] = 160,
	[ROUGH_GARBAGE] = 120,
	[ROUGH_LATE_REPLY] = 300,
	[ROUGH_TWICE] = 120,
	[ROUGH_LOST_COMMAND] = 100,
	[ROUGH_UNPLUGGED] = 500,
	[ROUGH_STALL] = 400,
};

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

static uint32_t draw(struct rough_line *line, uint32_t below)
{
	line->luck = line->luck * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(line->luck >> 33) % below;
}

static bool strikes(struct rough_line *line, enum rough_fault fault)
{
	bool hit = draw(line, (uint32_t)one_in[fault]) == 0 && !line->quiet;
	line->faults[fault] += hit;
	return hit;
}

static void plug_in(struct rough_line *line)
{
	char fresh[128];
	const char *path;
	line->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (line->master < 0 || grantpt(line->master) != 0 || unlockpt(line->master) != 0 ||
		(path = ptsname(line->master)) == NULL) {
		abort();
	}
	line->slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios tio;
	if (line->slave < 0 || tcgetattr(line->slave, &tio) != 0) {
		abort();
	}
	cfmakeraw(&tio);
	tcsetattr(line->slave, TCSANOW, &tio);
	snprintf(fresh, sizeof fresh, "%s.new", line->link);
	unlink(fresh);
	if (symlink(path, fresh) != 0 || rename(fresh, line->link) != 0) {
		abort();
	}
	line->replug_ms = CLOCK_NEVER;
}

static void unplug(struct rough_line *line)
{
	/* The link first: the terminal's number is soon somebody else's. */
	unlink(line->link);
	close(line->slave);
	close(line->master);
	line->master = line->slave = -1;
	line->packets = 0;
	line->have = 0;
	line->replug_ms = now_ms() + 300 + draw(line, 2500);
}

static void ask_device(struct rough_line *line, const char *text, struct emulator_reply *reply)
{
	reply->len = 0;
	for (; *text != '\0'; text++) {
		line->kind->byte(line->device, (uint8_t)*text, reply);
	}
}

/* Lets the device's time pass and writes down what its motor has done.  Between two calls it runs in one
 * direction only, since only a command changes that and this comes before each. */
static void keep_book(struct rough_line *line)
{
	int64_t now = now_ms();
	if (now >= line->stuck_until_ms) {
		int64_t from = line->last_ms > line->stuck_until_ms ? line->last_ms : line->stuck_until_ms;
		clock_fake_advance(line->clock, now > from ? now - from : 0);
	}
	line->last_ms = now;
	struct emulator_reply reply;
	ask_device(line, ":GP#", &reply);
	char text[32] = "";
	memcpy(text, reply.data, reply.len < sizeof text - 1 ? reply.len : sizeof text - 1);
	int64_t motor = strtoll(text, NULL, 16);
	line->travelled += llabs(motor - line->motor);
	line->motor = motor;
	/* On a way out the carriage is where the motor is, on a way in `backlash` behind it. */
	if (line->carriage < motor) {
		line->carriage = motor;
	} else if (line->carriage > motor + line->backlash) {
		line->carriage = motor + line->backlash;
	}
}

static void post(struct rough_line *line, const char *data, size_t len, int64_t due_ms)
{
	if (len == 0 || line->packets == (int)(sizeof line->packet / sizeof line->packet[0])) {
		return;
	}
	/* A line keeps the order. */
	if (line->packets > 0 && due_ms < line->packet[line->packets - 1].due_ms) {
		due_ms = line->packet[line->packets - 1].due_ms;
	}
	struct rough_packet *p = &line->packet[line->packets++];
	p->due_ms = due_ms;
	p->len = len < sizeof p->data ? len : sizeof p->data;
	memcpy(p->data, data, p->len);
}

static void answer(struct rough_line *line, struct emulator_reply *reply)
{
	int64_t due_ms = now_ms();
	if (strikes(line, ROUGH_LOST_REPLY)) {
		return;
	}
	if (strikes(line, ROUGH_GARBAGE)) {
		post(line, "\xFE\x80z4\x01?", 6, due_ms);
		return;
	}
	if (strikes(line, ROUGH_HALF_REPLY)) {
		reply->len = draw(line, (uint32_t)reply->len);
	} else if (strikes(line, ROUGH_LOST_DIGIT)) {
		size_t at = draw(line, (uint32_t)reply->len);
		memmove(reply->data + at, reply->data + at + 1, reply->len - at - 1);
		reply->len--;
	}
	if (strikes(line, ROUGH_LATE_REPLY)) {
		due_ms += 520 + draw(line, 600);
	}
	post(line, reply->data, reply->len, due_ms);
	if (strikes(line, ROUGH_TWICE)) {
		post(line, reply->data, reply->len, due_ms);
	}
}

/* Whole commands only, so that the book can ask the device between two of them. */
static void obey(struct rough_line *line)
{
	struct emulator_reply reply;
	line->commands++;
	if (strikes(line, ROUGH_LOST_COMMAND)) {
		return;
	}
	if (strikes(line, ROUGH_STALL)) {
		/* Most free themselves before anybody worries, some do not. */
		line->stuck_until_ms = now_ms() + 300 + draw(line, draw(line, 4) == 0 ? 12000 : 4000);
	}
	keep_book(line);
	ask_device(line, line->command, &reply);
	if (reply.len > 0) {
		answer(line, &reply);
	}
}

static void take_bytes(struct rough_line *line)
{
	char bytes[128];
	ssize_t n = read(line->master, bytes, sizeof bytes);
	if (n <= 0) {
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (line->have + 1 < sizeof line->command) {
			line->command[line->have++] = bytes[i];
		}
		if (bytes[i] == '#') {
			line->command[line->have] = '\0';
			line->have = 0;
			obey(line);
		}
	}
	if (strikes(line, ROUGH_UNPLUGGED)) {
		unplug(line);
	}
}

static void deliver(struct rough_line *line)
{
	while (line->packets > 0 && line->packet[0].due_ms <= now_ms()) {
		(void)!write(line->master, line->packet[0].data, line->packet[0].len);
		line->packets--;
		memmove(&line->packet[0], &line->packet[1], (size_t)line->packets * sizeof line->packet[0]);
	}
}

static void *serve(void *arg)
{
	struct rough_lines *all = arg;
	for (;;) {
		struct pollfd fds[ROUGH_LINES];
		int64_t next_ms = now_ms() + 200;
		pthread_mutex_lock(&all->lock);
		if (all->quit) {
			pthread_mutex_unlock(&all->lock);
			return NULL;
		}
		for (int i = 0; i < all->count; i++) {
			struct rough_line *line = &all->line[i];
			if (line->replug_ms <= now_ms()) {
				plug_in(line);
			}
			if (line->master >= 0) {
				/* A client that has gone must not keep the next one out. */
				(void)ioctl(line->slave, TIOCNXCL);
				deliver(line);
			}
			keep_book(line);
			int64_t due_ms = line->packets > 0 ? line->packet[0].due_ms : line->replug_ms;
			next_ms = due_ms < next_ms ? due_ms : next_ms;
			fds[i] = (struct pollfd){.fd = line->master, .events = POLLIN};
		}
		pthread_mutex_unlock(&all->lock);
		if (poll(fds, (nfds_t)all->count, clock_poll_timeout(clock_real(), next_ms)) < 0 &&
			errno != EINTR) {
			abort();
		}
		pthread_mutex_lock(&all->lock);
		for (int i = 0; i < all->count; i++) {
			if (fds[i].fd >= 0 && fds[i].fd == all->line[i].master && fds[i].revents != 0) {
				take_bytes(&all->line[i]);
				if (all->line[i].master >= 0) {
					deliver(&all->line[i]);
				}
			}
		}
		pthread_mutex_unlock(&all->lock);
	}
}

void rough_start(struct rough_lines *all, int count, const char *dir, uint64_t seed, int backlash)
{
	memset(all, 0, sizeof *all);
	all->count = count;
	pthread_mutex_init(&all->lock, NULL);
	for (int i = 0; i < count; i++) {
		struct rough_line *line = &all->line[i];
		snprintf(line->link, sizeof line->link, "%s/line%d", dir, i);
		line->backlash = backlash;
		line->kind = &emu_moonlite;
		emulator_defaults(line->kind, &line->settings);
		line->settings.position = 10000;
		line->settings.speed_steps_per_s = 4000;
		line->clock = clock_create_fake();
		line->device = calloc(1, line->kind->ctx_size);
		assert_non_null(line->clock);
		assert_non_null(line->device);
		line->kind->init(line->device, &line->settings, line->clock);
		line->last_ms = now_ms();
		line->motor = line->carriage = 10000;
		line->luck = seed * 1000 + (uint64_t)i;
		(void)draw(line, 2);
		plug_in(line);
	}
	assert_int_equal(pthread_create(&all->thread, NULL, serve, all), 0);
}

void rough_stop(struct rough_lines *all)
{
	pthread_mutex_lock(&all->lock);
	all->quit = true;
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	for (int i = 0; i < all->count; i++) {
		struct rough_line *line = &all->line[i];
		unlink(line->link);
		if (line->master >= 0) {
			close(line->slave);
			close(line->master);
		}
		clock_destroy(line->clock);
		free(line->device);
	}
	pthread_mutex_destroy(&all->lock);
}

void rough_truth(struct rough_lines *all, int i, int64_t *motor, int64_t *carriage)
{
	pthread_mutex_lock(&all->lock);
	keep_book(&all->line[i]);
	*motor = all->line[i].motor;
	*carriage = all->line[i].carriage;
	pthread_mutex_unlock(&all->lock);
}

bool rough_by_hand(struct rough_lines *all, int i, int32_t target)
{
	struct rough_line *line = &all->line[i];
	char text[24];
	snprintf(text, sizeof text, ":SN%04X#:FG#", (unsigned)target);
	pthread_mutex_lock(&all->lock);
	keep_book(line);
	bool ready = line->master >= 0 && now_ms() >= line->stuck_until_ms &&
		     !line->kind->moving(line->device);
	if (ready) {
		struct emulator_reply reply;
		ask_device(line, text, &reply);
	}
	pthread_mutex_unlock(&all->lock);
	return ready;
}

void rough_calm(struct rough_lines *all, int i)
{
	pthread_mutex_lock(&all->lock);
	all->line[i].quiet = true;
	if (all->line[i].replug_ms != CLOCK_NEVER) {
		all->line[i].replug_ms = now_ms();
	}
	pthread_mutex_unlock(&all->lock);
}
