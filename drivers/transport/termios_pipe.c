/* SPDX-License-Identifier: MIT */
/* Pseudo terminals, which the serial port library refuses: plain termios on a path. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "pipes.h"
#include "ports.h"

static void destroy(struct transport *t)
{
	struct fd_pipe *pipe = (struct fd_pipe *)t;
	fd_pipe_unclaim(pipe->fd);
	close(pipe->fd);
	free(pipe);
}

static const struct transport_ops termios_ops = {
	.name = "termios",
	FD_PIPE_TERMINAL_OPS,
	.destroy = destroy,
};

static const struct {
	int baud;
	speed_t speed;
} speeds[] = {
	{9600, B9600}, {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200},
};

/* Raw, eight bits, no handshake.  The rate means nothing on a pseudo terminal; one without a
 * constant is left as it is. */
static int make_raw(int fd, int baud)
{
	struct termios tio;
	if (tcgetattr(fd, &tio) != 0) {
		return -1;
	}
	cfmakeraw(&tio);
	tio.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | HUPCL);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
		if (speeds[i].baud == baud) {
			cfsetispeed(&tio, speeds[i].speed);
			cfsetospeed(&tio, speeds[i].speed);
		}
	}
	return tcsetattr(fd, TCSANOW, &tio);
}

enum err_code termios_pipe_open(const char *path, const struct transport_settings *settings,
	struct transport **out, struct err *err)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		if (errno == EBUSY) {
			return ports_say_busy(ports_system(), path, err);
		}
		return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	}
	enum err_code code = fd_pipe_claim(fd, path, err);
	if (code == ERR_OK && make_raw(fd, settings->baud) != 0) {
		code = err_set(err, ERR_IO, "%s is no terminal: %s", path, strerror(errno));
		fd_pipe_unclaim(fd);
	}
	struct fd_pipe *pipe = code == ERR_OK ? calloc(1, sizeof *pipe) : NULL;
	if (pipe == NULL) {
		close(fd);
		return code != ERR_OK ? code : err_set(err, ERR_NOMEM, "out of memory");
	}
	pipe->base.ops = &termios_ops;
	pipe->fd = fd;
	pipe->baud = settings->baud;
	snprintf(pipe->name, sizeof pipe->name, "%s", path);
	code = fd_pipe_first_lines(pipe, settings, err);
	if (code != ERR_OK) {
		destroy(&pipe->base);
		return code;
	}
	*out = &pipe->base;
	return ERR_OK;
}
