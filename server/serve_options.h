/* SPDX-License-Identifier: MIT */
/* The command line of `focusd serve`. Pure except for the state that getopt keeps; main thread. */
#ifndef FOCUSD_SERVE_OPTIONS_H
#define FOCUSD_SERVE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "log.h"

/* The options that were given; strings are borrowed from argv. */
struct serve_options {
	const char *config;     /* NULL = the usual places */
	const char *bind;       /* NULL = as configured */
	int port;               /* -1 = as configured */
	int discovery_port;     /* -1 = as configured */
	const char *state_dir;  /* NULL = the usual places */
	const char *ready_file; /* NULL = none */
	bool has_log_level;
	enum log_level log_level;
	bool has_seed;
	uint64_t seed;
	double time_factor;     /* NAN = as configured */
	bool simulate, check, version, help;
};

/* Parses the command line; argv[0] is skipped. ERR_INVALID_VALUE with a sentence when something is not understood. */
enum err_code serve_options_parse(int argc, char **argv, struct serve_options *out,
	struct err *err);

/* The text of --help, at most 24 lines of 80 columns, and of --version with the notices that the
 * libraries ask for. */
extern const char serve_help[];
extern const char serve_version[];

#endif
