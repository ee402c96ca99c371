/* SPDX-License-Identifier: MIT */
/*
 * Real serial ports.  The only file that knows the serial port library; it opens and configures,
 * reading and writing go through the descriptor, where a hang-up can be told from silence.
 */
#include <libserialport.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "pipes.h"
#include "ports.h"

struct serial_pipe {
	struct fd_pipe pipe;
	struct sp_port *port;
	bool opened;
	int guard; /* a second descriptor: it is asked for the port before the library touches it */
};

static void destroy(struct transport *t)
{
	struct serial_pipe *serial = (struct serial_pipe *)t;
	if (serial->opened) {
		fd_pipe_unclaim(serial->pipe.fd);
		sp_close(serial->port);
	}
	if (serial->port != NULL) {
		sp_free_port(serial->port);
	}
	if (serial->guard >= 0) {
		close(serial->guard);
	}
	free(serial);
}

static const struct transport_ops serial_ops = {
	.name = "serial",
	FD_PIPE_TERMINAL_OPS,
	.destroy = destroy,
};

static enum err_code open_failed(const char *path, int error, struct err *err)
{
	switch (error) {
	case EBUSY:
		return ports_say_busy(ports_system(), path, err);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_IO,
			"no permission to open %s: is this user in the group dialout?", path);
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return err_set(err, ERR_IO, "there is no device behind %s: unplugged or without power?",
			path);
	case ENOTTY:
	case EIO:
		return err_set(err, ERR_IO, "%s has no serial port behind it", path);
	default:
		return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(error));
	}
}

/* The library does not look whether another program holds the port: by the time it returns it has changed the rate
 * of somebody's mount.  So we ask for the port before the library opens it. */
static enum err_code take_guard(struct serial_pipe *serial, const char *path, struct err *err)
{
	serial->guard = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (serial->guard < 0) {
		return open_failed(path, errno, err);
	}
	int exclusive = 0;
	/* The kernel lets root open a port in spite of TIOCEXCL, so the flag is read, too. */
	if (flock(serial->guard, LOCK_EX | LOCK_NB) != 0 ||
		(ioctl(serial->guard, TIOCGEXCL, &exclusive) == 0 && exclusive != 0)) {
		return ports_say_busy(ports_system(), path, err);
	}
	return ERR_OK;
}

/* With HUPCL off the lines stay as they are when we close, which spares an Arduino the reset at the next open. 
 * VMIN is 1 so that a read of nothing means that nobody is there. */
static bool set_rest(int fd)
{
	struct termios tio;
	if (tcgetattr(fd, &tio) != 0) {
		return false;
	}
	cfmakeraw(&tio);
	tio.c_cflag &= ~(tcflag_t)(HUPCL | CSTOPB | CRTSCTS);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &tio) == 0;
}

static enum err_code configure(struct serial_pipe *serial, const char *path, int baud,
	struct err *err)
{
	int *fd = &serial->pipe.fd;
	if (sp_get_port_handle(serial->port, fd) != SP_OK) {
		return err_set(err, ERR_IO, "%s gives no descriptor", path);
	}
	(void)fcntl(*fd, F_SETFD, FD_CLOEXEC);
	if (ioctl(*fd, TIOCEXCL) != 0) {
		return err_set(err, ERR_IO, "%s cannot be taken for us alone: %s", path,
			strerror(errno));
	}
	if (sp_set_baudrate(serial->port, baud) != SP_OK || sp_set_bits(serial->port, 8) != SP_OK ||
		sp_set_parity(serial->port, SP_PARITY_NONE) != SP_OK ||
		sp_set_stopbits(serial->port, 1) != SP_OK ||
		sp_set_flowcontrol(serial->port, SP_FLOWCONTROL_NONE) != SP_OK || !set_rest(*fd)) {
		return err_set(err, ERR_IO, "%s does not take %d baud 8N1", path, baud);
	}
	return ERR_OK;
}

static enum err_code open_port(struct serial_pipe *serial, const char *path,
	const struct transport_settings *settings, struct err *err)
{
	if (sp_get_port_by_name(path, &serial->port) != SP_OK) {
		serial->port = NULL;
		return err_set(err, ERR_IO, "%s is no serial port", path);
	}
	enum err_code code = take_guard(serial, path, err);
	if (code != ERR_OK) {
		return code;
	}
	if (sp_open(serial->port, SP_MODE_READ_WRITE) != SP_OK) {
		return open_failed(path, sp_last_error_code(), err);
	}
	serial->opened = true;
	code = configure(serial, path, settings->baud, err);
	return code != ERR_OK ? code : fd_pipe_first_lines(&serial->pipe, settings, err);
}

enum err_code serial_pipe_open(const char *path, const struct transport_settings *settings,
	struct transport **out, struct err *err)
{
	struct serial_pipe *serial = calloc(1, sizeof *serial);
	if (serial == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	serial->pipe.base.ops = &serial_ops;
	serial->pipe.fd = -1;
	serial->pipe.baud = settings->baud;
	serial->guard = -1;
	snprintf(serial->pipe.name, sizeof serial->pipe.name, "%s", path);
	enum err_code code = open_port(serial, path, settings, err);
	if (code != ERR_OK) {
		destroy(&serial->pipe.base);
		return code;
	}
	*out = &serial->pipe.base;
	return ERR_OK;
}
