/* SPDX-License-Identifier: MIT */
#include "serve_options.h"

#include <getopt.h>
#include <math.h>
#include <stddef.h>

#include "text.h"

const char serve_help[] =
	"Usage: focusd [serve] [OPTION]...     serve focusers and cameras over ASCOM Alpaca\n"
	"       focusd --check                 say what is wrong with the configuration\n"
	"       focusd measure FRAME...        measure the stars of frames in files\n"
	"       focusd fit FRAME...            V-curve and best position from frames in files\n"
	"       focusd ports [--probe]         serial ports, and what is behind them\n"
	"       focusd af run|status|abort     a run of a server that runs, for sequencers\n"
	"       focusd emulate KIND            a focuser on a pseudo terminal, for trying\n"
	"\n"
	"  -c, --config FILE         configuration (/etc/focusd/focusd.conf, else\n"
	"                            $XDG_CONFIG_HOME/focusd/focusd.conf)\n"
	"  -s, --simulate            one simulated focuser and camera instead of the devices\n"
	"  -b, --bind ADDR           addresses to listen on (all)\n"
	"  -p, --port N              TCP port (11111; 0 picks a free one)\n"
	"      --discovery-port N    UDP port of discovery (32227; 0 switches it off)\n"
	"      --state-dir DIR       where runs and identities are kept\n"
	"      --ready-file FILE     written when the server answers\n"
	"      --log-level LEVEL     error, warn, info, debug or trace\n"
	"      --seed N              the same seed simulates the same night\n"
	"      --time-factor N       simulation and replay run N times faster than life\n"
	"  -h, --help                this text; each subcommand has its own\n"
	"  -V, --version             version and notices\n"
	"\n"
	"Manual pages: focusd(1), focusd.conf(5).\n";

const char serve_version[] =
	"focusd " FOCUSD_VERSION "\n"
	"Licence: MIT.\n"
	"\n"
	"This product includes software developed by the University of Chicago, as\n"
	"Operator of Argonne National Laboratory (minpack, through cminpack).\n"
	"This software is based in part on the work of the Independent JPEG Group\n"
	"(through libjpeg-turbo).\n"
	"The page draws with dygraphs: Copyright (c) 2009 Dan Vanderkam, MIT licence.\n"
	"CFITSIO: Copyright (U.S. Government, as represented by the Administrator of the\n"
	"National Aeronautics and Space Administration).\n"
	"libserialport, libudev and libmicrohttpd are used as shared libraries under the\n"
	"GNU LGPL;\n"
	"cJSON (MIT), inih (BSD) and SQLite (public domain) are used as shared libraries.\n"
	"The whole texts are in the file NOTICE.\n";

enum option_id {
	OPTION_DISCOVERY_PORT = 256,
	OPTION_STATE_DIR,
	OPTION_READY_FILE,
	OPTION_LOG_LEVEL,
	OPTION_SEED,
	OPTION_TIME_FACTOR,
	OPTION_CHECK,
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"simulate", no_argument, NULL, 's'},
	{"bind", required_argument, NULL, 'b'},
	{"port", required_argument, NULL, 'p'},
	{"discovery-port", required_argument, NULL, OPTION_DISCOVERY_PORT},
	{"state-dir", required_argument, NULL, OPTION_STATE_DIR},
	{"ready-file", required_argument, NULL, OPTION_READY_FILE},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"time-factor", required_argument, NULL, OPTION_TIME_FACTOR},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static enum err_code parse_port(const char *name, const char *text, int *out, struct err *err)
{
	uint32_t value;
	if (!text_parse_u32(span_of(text), &value) || value > 65535) {
		return err_set(
			err, ERR_INVALID_VALUE, "--%s must be 0 to 65535, not '%.40s'", name, text);
	}
	*out = (int)value;
	return ERR_OK;
}

static enum err_code parse_log_level(const char *text, struct serve_options *out, struct err *err)
{
	out->has_log_level = true;
	if (log_level_parse(text, &out->log_level) != 0) {
		return err_set(err, ERR_INVALID_VALUE, "--log-level must be error, warn, info, debug or trace, not "
			"'%.40s'", text);
	}
	return ERR_OK;
}

static enum err_code parse_seed(const char *text, struct serve_options *out, struct err *err)
{
	uint32_t number;
	if (!text_parse_u32(span_of(text), &number)) {
		return err_set(err, ERR_INVALID_VALUE, "--seed must be a whole number from 0 to 4294967295, not "
			"'%.40s'", text);
	}
	out->has_seed = true;
	out->seed = number;
	return ERR_OK;
}

static enum err_code parse_time_factor(const char *text, struct serve_options *out, struct err *err)
{
	if (!text_parse_double(span_of(text), &out->time_factor) ||
		!(out->time_factor >= 0.01 && out->time_factor <= 100000)) {
		return err_set(err, ERR_INVALID_VALUE, "--time-factor must be 0.01 to 100000, not '%.40s'", text);
	}
	return ERR_OK;
}

static enum err_code take_option(
	struct serve_options *out, int id, const char *text, struct err *err)
{
	switch (id) {
	case 'c':
		out->config = text;
		return ERR_OK;
	case 's':
		out->simulate = true;
		return ERR_OK;
	case 'b':
		out->bind = text;
		return ERR_OK;
	case 'p':
		return parse_port("port", text, &out->port, err);
	case OPTION_DISCOVERY_PORT:
		return parse_port("discovery-port", text, &out->discovery_port, err);
	case OPTION_STATE_DIR:
		out->state_dir = text;
		return ERR_OK;
	case OPTION_READY_FILE:
		out->ready_file = text;
		return ERR_OK;
	case OPTION_LOG_LEVEL:
		return parse_log_level(text, out, err);
	case OPTION_SEED:
		return parse_seed(text, out, err);
	case OPTION_TIME_FACTOR:
		return parse_time_factor(text, out, err);
	case OPTION_CHECK:
		out->check = true;
		return ERR_OK;
	case 'h':
		out->help = true;
		return ERR_OK;
	case 'V':
		out->version = true;
		return ERR_OK;
	default:
		return err_set(err, ERR_INTERNAL, "option %d is not handled", id);
	}
}

enum err_code serve_options_parse(int argc, char **argv, struct serve_options *out, struct err *err)
{
	*out = (struct serve_options){.port = -1, .discovery_port = -1, .time_factor = NAN};
	opterr = 0;
	optind = 0; /* getopt starts anew, its hidden state in GNU's version, too */
	for (;;) {
		int id = getopt_long(argc, argv, ":c:sb:p:hV", long_options, NULL);
		if (id == -1) {
			break;
		}
		if (id == ':') {
			return err_set(
				err, ERR_INVALID_VALUE, "%.60s needs a value", argv[optind - 1]);
		}
		if (id == '?') {
			const char *what = argv[optind - 1];
			return optopt != 0 && optopt < 256 && (what[0] != '-' || what[1] != '-')
				       ? err_set(err, ERR_INVALID_VALUE, "there is no option -%c",
						 optopt)
				       : err_set(err, ERR_INVALID_VALUE,
						 "there is no option %.60s, or it takes no value",
						 what);
		}
		enum err_code rc = take_option(out, id, optarg, err);
		if (rc != ERR_OK) {
			return rc;
		}
	}
	if (optind < argc) {
		return err_set(err, ERR_INVALID_VALUE, "'%.60s' is not understood", argv[optind]);
	}
	return ERR_OK;
}
