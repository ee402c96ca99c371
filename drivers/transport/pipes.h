/* SPDX-License-Identifier: MIT */
/*
 * Inside transport/: the kinds of pipe that transport_open() chooses from, and what those over a
 * file descriptor have in common.
 */
#ifndef FOCUSD_PIPES_H
#define FOCUSD_PIPES_H

#include <netdb.h>
#include <stdbool.h>

#include "transport.h"

/* A pipe over a non-blocking descriptor; an implementation puts this first and brings its own
 * set_lines and destroy. */
struct fd_pipe {
	struct transport base;
	int fd;
	int baud;
	bool is_socket;
	char name[256];
	int64_t sent_ms; /* when all that was written should have passed the wire; real clock */
};

/* The shared ops.  Hang-up, end of file and a vanished device are ERR_IO at once. */
enum err_code fd_pipe_write_all(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err);
enum err_code fd_pipe_read_some(struct transport *t, void *out, size_t cap, size_t *got,
	int64_t deadline_ms, struct err *err);
enum err_code fd_pipe_discard_input(struct transport *t, struct err *err);
const char *fd_pipe_describe(struct transport *t);

/* The same for terminals, whose control lines may be absent: then setting them does nothing, and CTS is up. */
enum err_code fd_pipe_set_lines(struct transport *t, bool dtr, bool rts, struct err *err);
enum err_code fd_pipe_read_cts(struct transport *t, bool *up, struct err *err);
enum err_code fd_pipe_drain(struct transport *t, int64_t deadline_ms, struct err *err);

/* All of these as members of the struct transport_ops of a kind of terminal, which adds its name and destroy. */
#define FD_PIPE_TERMINAL_OPS \
	.write_all = fd_pipe_write_all, \
	.read_some = fd_pipe_read_some, \
	.discard_input = fd_pipe_discard_input, \
	.set_lines = fd_pipe_set_lines, \
	.read_cts = fd_pipe_read_cts, \
	.drain = fd_pipe_drain, \
	.describe = fd_pipe_describe

/* Takes a terminal for us alone: TIOCEXCL keeps ordinary users out, flock other careful programs,
 * those of root included.  ERR_IO with a sentence when somebody else holds it. */
enum err_code fd_pipe_claim(int fd, const char *name, struct err *err);

/* Gives the terminal back, before close: one that somebody else keeps open would stay exclusive otherwise. */
void fd_pipe_unclaim(int fd);

/* Lowers the lines that the settings want low. */
enum err_code fd_pipe_first_lines(struct fd_pipe *pipe, const struct transport_settings *settings,
	struct err *err);

/* path is resolved.  Ownership of *out passes to the caller. */
enum err_code serial_pipe_open(const char *path, const struct transport_settings *settings,
	struct transport **out, struct err *err);
enum err_code termios_pipe_open(const char *path, const struct transport_settings *settings,
	struct transport **out, struct err *err);

/* address is "host:port" or "[v6]:port". */
enum err_code tcp_pipe_open(const char *address, int64_t deadline_ms, struct transport **out,
	struct err *err);

struct tcp_address {
	char host[200];
	char port[8];
};

/* Splits such an address; ERR_INVALID_VALUE with a sentence that says what is wrong with it.  Pure. */
enum err_code tcp_address_parse(const char *text, struct tcp_address *out, struct err *err);

/* Follows links to the device of a port; path has room for PATH_MAX bytes.  ERR_IO, when there is none just now. */
enum err_code transport_find(const char *where, char *path, struct err *err);

/* Looks the host up, at most until deadline_ms.  *out belongs to the caller (freeaddrinfo).
 * ERR_TIMEOUT, ERR_IO. */
enum err_code tcp_resolve(const struct tcp_address *address, int64_t deadline_ms,
	struct addrinfo **out, struct err *err);

#endif
