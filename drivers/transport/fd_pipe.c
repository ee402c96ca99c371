/* SPDX-License-Identifier: MIT */
/* Reading and writing a non-blocking descriptor with absolute deadlines; see pipes.h. */
#include "pipes.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "ports.h"

/* A hung-up terminal and a serial line without VMIN both read nothing; this many in a row after
 * poll promised bytes mean that nobody is there. */
#define EMPTY_READS_MEAN_GONE 3
/* Between two looks whether the kernel has passed everything on. */
#define DRAIN_LOOK_MS 1

static struct fd_pipe *of(struct transport *t)
{
	return (struct fd_pipe *)t;
}

static enum err_code gone(const struct fd_pipe *pipe, int error, struct err *err)
{
	if (error == 0) {
		return err_set(err, ERR_IO, "%s is gone: unplugged, or closed at the other end",
			pipe->name);
	}
	return err_set(err, ERR_IO, "%s is gone: %s", pipe->name, strerror(error));
}

/* Waits until the descriptor is ready.  ERR_OK with *revents, or ERR_TIMEOUT, ERR_IO. */
static enum err_code wait_ready(const struct fd_pipe *pipe, short events, short *revents,
	int64_t deadline_ms, struct err *err)
{
	for (;;) {
		struct pollfd pfd = {.fd = pipe->fd, .events = events};
		int n = poll(&pfd, 1, clock_poll_timeout(clock_real(), deadline_ms));
		if (n > 0) {
			*revents = pfd.revents;
			return ERR_OK;
		}
		if (n < 0 && errno != EINTR) {
			return gone(pipe, errno, err);
		}
		if (n == 0 && clock_now_ms(clock_real()) >= deadline_ms) {
			return ERR_TIMEOUT;
		}
	}
}

/* A byte is ten bits on the wire.  The clock may be almost a millisecond ahead, so one is added. */
static void on_the_wire(struct fd_pipe *pipe, size_t len)
{
	int64_t now = clock_now_ms(clock_real());
	int64_t begin = pipe->sent_ms > now ? pipe->sent_ms : now;
	int baud = pipe->baud > 0 ? pipe->baud : 9600;
	pipe->sent_ms = begin + ((int64_t)len * 10 * 1000 + baud - 1) / baud + 1;
}

enum err_code fd_pipe_write_all(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err)
{
	struct fd_pipe *pipe = of(t);
	const char *at = data;
	on_the_wire(pipe, len);
	while (len > 0) {
		/* A reset connection must not end a program that does not ignore SIGPIPE. */
		ssize_t n = pipe->is_socket ? send(pipe->fd, at, len, MSG_NOSIGNAL)
					    : write(pipe->fd, at, len);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno != EAGAIN) {
			return gone(pipe, errno, err);
		}
		/* Some kernel drivers say that they are ready and then take nothing, so waiting alone does not end
		 * this. */
		if (clock_now_ms(clock_real()) >= deadline_ms) {
			return err_set(err, ERR_TIMEOUT, "%s takes no more bytes", pipe->name);
		}
		short revents = 0;
		enum err_code code = wait_ready(pipe, POLLOUT, &revents, deadline_ms, err);
		if (code == ERR_TIMEOUT) {
			return err_set(err, ERR_TIMEOUT, "%s takes no more bytes", pipe->name);
		}
		if (code != ERR_OK) {
			return code;
		}
		if (revents & (POLLHUP | POLLERR | POLLNVAL)) {
			return gone(pipe, 0, err);
		}
	}
	return ERR_OK;
}

enum err_code fd_pipe_read_some(struct transport *t, void *out, size_t cap, size_t *got,
	int64_t deadline_ms, struct err *err)
{
	struct fd_pipe *pipe = of(t);
	*got = 0;
	for (int empty = 0; empty < EMPTY_READS_MEAN_GONE;) {
		/* Reading is tried before waiting: bytes that are there already then cost one system call and not
		 * two. */
		ssize_t n = read(pipe->fd, out, cap);
		if (n > 0) {
			*got = (size_t)n;
			return ERR_OK;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return gone(pipe, errno, err);
		}
		short revents = 0;
		enum err_code code = wait_ready(pipe, POLLIN, &revents, deadline_ms, err);
		if (code == ERR_TIMEOUT) {
			return err_set(err, ERR_TIMEOUT, "%s: silence", pipe->name);
		}
		if (code != ERR_OK) {
			return code;
		}
		if (!(revents & POLLIN)) {
			return gone(pipe, 0, err);
		}
		if (n == 0) {
			empty++;
		}
	}
	return gone(pipe, 0, err);
}

enum err_code fd_pipe_discard_input(struct transport *t, struct err *err)
{
	struct fd_pipe *pipe = of(t);
	char scrap[256];
	/* The number of rounds is bounded: a device that never stops talking must not hold us here. */
	for (int i = 0; i < 256; i++) {
		struct pollfd pfd = {.fd = pipe->fd, .events = POLLIN};
		int ready = poll(&pfd, 1, 0);
		if (ready <= 0) {
			return ERR_OK;
		}
		ssize_t n = read(pipe->fd, scrap, sizeof scrap);
		if (n > 0 || (n < 0 && errno == EINTR)) {
			continue;
		}
		if (n < 0 && errno == EAGAIN && !(pfd.revents & (POLLHUP | POLLERR))) {
			return ERR_OK;
		}
		return gone(pipe, n < 0 ? errno : 0, err);
	}
	return ERR_OK;
}

const char *fd_pipe_describe(struct transport *t)
{
	return of(t)->name;
}

enum err_code fd_pipe_claim(int fd, const char *name, struct err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		return ports_say_busy(ports_system(), name, err);
	}
	if (ioctl(fd, TIOCEXCL) != 0 && errno != ENOTTY) {
		return err_set(err, ERR_IO, "%s cannot be taken for us alone: %s", name,
			strerror(errno));
	}
	return ERR_OK;
}

void fd_pipe_unclaim(int fd)
{
	(void)ioctl(fd, TIOCNXCL);
	(void)flock(fd, LOCK_UN);
}

/* These are the errors by which a terminal says that it has no such lines. */
static bool has_no_lines(int error)
{
	return error == ENOTTY || error == EINVAL;
}

enum err_code fd_pipe_set_lines(struct transport *t, bool dtr, bool rts, struct err *err)
{
	const struct fd_pipe *pipe = of(t);
	int up = (dtr ? TIOCM_DTR : 0) | (rts ? TIOCM_RTS : 0);
	int down = (dtr ? 0 : TIOCM_DTR) | (rts ? 0 : TIOCM_RTS);
	if ((up != 0 && ioctl(pipe->fd, TIOCMBIS, &up) != 0) ||
		(down != 0 && ioctl(pipe->fd, TIOCMBIC, &down) != 0)) {
		return has_no_lines(errno) ? ERR_OK : gone(pipe, errno, err);
	}
	return ERR_OK;
}

enum err_code fd_pipe_read_cts(struct transport *t, bool *up, struct err *err)
{
	const struct fd_pipe *pipe = of(t);
	int lines = 0;
	if (ioctl(pipe->fd, TIOCMGET, &lines) != 0) {
		if (!has_no_lines(errno)) {
			return gone(pipe, errno, err);
		}
		lines = TIOCM_CTS;
	}
	*up = (lines & TIOCM_CTS) != 0;
	return ERR_OK;
}

/* tcdrain() has no deadline, and knows nothing of what a USB bridge still holds.  Therefore the length of the
 * kernel's queue is asked for, and the bytes are given the time that they need on the wire. */
enum err_code fd_pipe_drain(struct transport *t, int64_t deadline_ms, struct err *err)
{
	const struct fd_pipe *pipe = of(t);
	for (;;) {
		int queued = 0;
		if (ioctl(pipe->fd, TIOCOUTQ, &queued) != 0) {
			if (!has_no_lines(errno)) {
				return gone(pipe, errno, err);
			}
			queued = 0;
		}
		int64_t now = clock_now_ms(clock_real());
		if (queued == 0 && now >= pipe->sent_ms) {
			return ERR_OK;
		}
		if (now >= deadline_ms) {
			return err_set(err, ERR_TIMEOUT, "%s does not get its bytes out", pipe->name);
		}
		int64_t look_ms = queued == 0 ? pipe->sent_ms : now + DRAIN_LOOK_MS;
		short revents = 0;
		enum err_code code = wait_ready(pipe, 0, &revents,
			look_ms < deadline_ms ? look_ms : deadline_ms, err);
		if (code == ERR_OK) {
			return gone(pipe, 0, err);
		}
		if (code != ERR_TIMEOUT) {
			return code;
		}
	}
}

enum err_code fd_pipe_first_lines(struct fd_pipe *pipe, const struct transport_settings *settings,
	struct err *err)
{
	if (!settings->dtr_low && !settings->rts_low) {
		return ERR_OK;
	}
	return fd_pipe_set_lines(&pipe->base, !settings->dtr_low, !settings->rts_low, err);
}
