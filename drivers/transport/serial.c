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
#include <termios.h>

#include "pipes.h"
#include "ports/ports.h"

struct serial_pipe {
	struct fd_pipe pipe;
	struct sp_port *port;
};

static enum err_code set_lines(struct transport *t, bool dtr, bool rts, struct err *err)
{
	struct fd_pipe *pipe = (struct fd_pipe *)t;
	return fd_pipe_modem_lines(pipe->fd, pipe->name, dtr, rts, err);
}

static void destroy(struct transport *t)
{
	struct serial_pipe *serial = (struct serial_pipe *)t;
	fd_pipe_unclaim(serial->pipe.fd);
	sp_close(serial->port);
	sp_free_port(serial->port);
	free(serial);
}

static const struct transport_ops serial_ops = {
	.name = "serial",
	.write_all = fd_pipe_write_all,
	.read_some = fd_pipe_read_some,
	.discard_input = fd_pipe_discard_input,
	.set_lines = set_lines,
	.describe = fd_pipe_describe,
	.destroy = destroy,
};

static enum err_code open_failed(const char *path, struct err *err)
{
	int error = sp_last_error_code();
	switch (error) {
	case EBUSY:
		return ports_say_busy(ports_system(), path, err);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_IO,
			"no permission to open %s: is this user in the group dialout?", path);
	case ENOTTY:
	case EIO:
		return err_set(err, ERR_IO, "%s has no serial port behind it", path);
	default:
		return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(error));
	}
}

/* HUPCL off keeps DTR up when we close, which spares an Arduino the reset at the next open. */
static void keep_dtr_on_close(int fd)
{
	struct termios tio;
	if (tcgetattr(fd, &tio) == 0) {
		tio.c_cflag &= ~(tcflag_t)HUPCL;
		tio.c_cflag |= CLOCAL;
		(void)tcsetattr(fd, TCSANOW, &tio);
	}
}

static enum err_code configure(struct sp_port *port, const char *path, int baud, int *fd,
	struct err *err)
{
	if (sp_get_port_handle(port, fd) != SP_OK) {
		return err_set(err, ERR_IO, "%s gives no descriptor", path);
	}
	(void)fcntl(*fd, F_SETFD, FD_CLOEXEC);
	enum err_code code = fd_pipe_claim(*fd, path, err);
	if (code != ERR_OK) {
		return code;
	}
	if (sp_set_baudrate(port, baud) != SP_OK || sp_set_bits(port, 8) != SP_OK ||
		sp_set_parity(port, SP_PARITY_NONE) != SP_OK || sp_set_stopbits(port, 1) != SP_OK ||
		sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE) != SP_OK) {
		fd_pipe_unclaim(*fd);
		return err_set(err, ERR_IO, "%s does not take %d baud 8N1", path, baud);
	}
	keep_dtr_on_close(*fd);
	return ERR_OK;
}

enum err_code serial_pipe_open(const char *path, const struct transport_settings *settings,
	struct transport **out, struct err *err)
{
	struct serial_pipe *serial = calloc(1, sizeof *serial);
	if (serial == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	if (sp_get_port_by_name(path, &serial->port) != SP_OK) {
		free(serial);
		return err_set(err, ERR_IO, "%s is no serial port", path);
	}
	if (sp_open(serial->port, SP_MODE_READ_WRITE) != SP_OK) {
		enum err_code code = open_failed(path, err);
		sp_free_port(serial->port);
		free(serial);
		return code;
	}
	enum err_code code = configure(serial->port, path, settings->baud, &serial->pipe.fd, err);
	if (code != ERR_OK) {
		sp_close(serial->port);
		sp_free_port(serial->port);
		free(serial);
		return code;
	}
	serial->pipe.base.ops = &serial_ops;
	snprintf(serial->pipe.name, sizeof serial->pipe.name, "%s", path);
	*out = &serial->pipe.base;
	return ERR_OK;
}
