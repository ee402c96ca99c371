/* SPDX-License-Identifier: MIT */
/* Chooses the kind of pipe from the name; see transport.h. */
#include "transport.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pipes.h"

static const char tcp_scheme[] = "tcp://";
static const char pty_folder[] = "/dev/pts/";
static const char cdc_prefix[] = "/dev/ttyACM";

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

bool transport_can_reset(const char *where)
{
	char path[PATH_MAX];
	if (begins(where, tcp_scheme)) {
		return false;
	}
	return realpath(where, path) == NULL || !begins(path, pty_folder);
}

bool transport_rate_matters(const char *where)
{
	char path[PATH_MAX];
	return begins(where, tcp_scheme) || !begins(realpath(where, path) != NULL ? path : where, cdc_prefix);
}

enum err_code transport_open(const char *where, const struct transport_settings *settings,
	int64_t deadline_ms, struct transport **out, struct err *err)
{
	char path[PATH_MAX];
	enum err_code code = transport_read_name(where, err);
	if (code == ERR_OK && begins(where, tcp_scheme)) {
		return tcp_pipe_open(where + strlen(tcp_scheme), deadline_ms, out, err);
	}
	if (code == ERR_OK) {
		code = transport_find(where, path, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	if (begins(path, pty_folder)) {
		return termios_pipe_open(path, settings, out, err);
	}
	return serial_pipe_open(path, settings, out, err);
}
