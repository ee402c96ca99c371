/* SPDX-License-Identifier: MIT */
/* `focusd emulate`: runs a focuser on a pseudo terminal until SIGTERM or SIGINT. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"
#include "emulator.h"
#include "text.h"
#include "trace.h"

enum option_id { OPT_POSITION = 256, OPT_SPEED, OPT_TIME_FACTOR, OPT_BAUD, OPT_FAULT, OPT_MAX,
	OPT_TEMPERATURE, OPT_LINK };

static const struct option options[] = {
	{"position", required_argument, NULL, OPT_POSITION},
	{"speed", required_argument, NULL, OPT_SPEED},
	{"time-factor", required_argument, NULL, OPT_TIME_FACTOR},
	{"baud", required_argument, NULL, OPT_BAUD},
	{"fault", required_argument, NULL, OPT_FAULT},
	{"max", required_argument, NULL, OPT_MAX},
	{"temperature", required_argument, NULL, OPT_TEMPERATURE},
	{"link", required_argument, NULL, OPT_LINK},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void print_faults(FILE *to, const struct emulator_fault *faults)
{
	for (; faults->name != NULL; faults++) {
		fprintf(to, "  %-22s%s\n", faults->name, faults->what);
	}
}

/* Answers `--fault help`: prints the faults of one kind, or of all. */
static void print_all_faults(FILE *to, const struct emulator_kind *only)
{
	fputs("Faults of the line:\n", to);
	print_faults(to, emulator_line_faults);
	for (int i = 0; emulator_kinds[i] != NULL; i++) {
		if (only == NULL || only == emulator_kinds[i]) {
			fprintf(to, "\nFaults of %s:\n", emulator_kinds[i]->name);
			print_faults(to, emulator_kinds[i]->faults);
		}
	}
}

static void print_help(FILE *to)
{
	fputs("Usage: focusd emulate KIND [OPTION]...\n"
	      "A focuser on a pseudo terminal, for trying and testing.  Prints the path of the\n"
	      "terminal, then serves it until SIGTERM or SIGINT.\n\nKinds:\n", to);
	for (int i = 0; emulator_kinds[i] != NULL; i++) {
		fprintf(to, "  %-22s%s\n", emulator_kinds[i]->name, emulator_kinds[i]->title);
	}
	fputs("\nOptions:\n"
	      "  --position N          where the motor stands at first, steps (0)\n"
	      "  --max N               highest position (what is usual for the kind)\n"
	      "  --speed STEPS_PER_S   of the motor (what is usual for the kind)\n"
	      "  --time-factor N       the motor runs N times faster than life (1)\n"
	      "  --temperature C       what its probe measures (10)\n"
	      "  --baud N              bytes take as long as on a line of so many bit/s\n"
	      "  --fault NAME          something that goes wrong; may be given several times;\n"
	      "                        'help' lists what\n"
	      "  --link PATH           a symbolic link to the terminal, also after a replug\n"
	      "  -v, --verbose         every byte to standard error\n"
	      "  -h, --help            this text\n\n", to);
	print_all_faults(to, NULL);
}

static const struct emulator_kind *find_kind(const char *name)
{
	for (int i = 0; emulator_kinds[i] != NULL; i++) {
		if (strcmp(emulator_kinds[i]->name, name) == 0) {
			return emulator_kinds[i];
		}
	}
	return NULL;
}

static void print_bytes(void *ctx, char direction, const void *data, size_t len)
{
	(void)ctx;
	char stamp[CLOCK_UTC_TEXT];
	char text[600];
	clock_utc_text(clock_utc_ms(), stamp);
	trace_escape(text, sizeof text, data, len);
	fprintf(stderr, "%s %c %s\n", stamp, direction, text);
}

/* Takes one option; false when its number or name makes no sense. */
static bool take_option(int id, const char *text, struct emulator_settings *settings)
{
	switch (id) {
	case OPT_POSITION:
		return text_parse_i32(span_of(text), &settings->position);
	case OPT_MAX:
		return text_parse_i32(span_of(text), &settings->max_step);
	case OPT_SPEED:
		return text_parse_double(span_of(text), &settings->speed_steps_per_s);
	case OPT_TIME_FACTOR:
		return text_parse_double(span_of(text), &settings->time_factor);
	case OPT_TEMPERATURE:
		return text_parse_double(span_of(text), &settings->temperature_c);
	case OPT_BAUD:
		return text_parse_i32(span_of(text), &settings->baud);
	case OPT_FAULT:
		if (settings->fault_count == EMULATOR_MAX_FAULTS) {
			return false;
		}
		settings->faults[settings->fault_count++] = text;
		return true;
	default:
		return false;
	}
}

static int serve(const struct emulator_kind *kind, const struct emulator_settings *settings,
	const char *link, emulator_note note)
{
	/* The signals are blocked before the path is printed, because whoever reads the path may end us at once. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	struct err err = {.text = "no signal descriptor"};
	struct emulator *emulator = NULL;
	enum err_code code = stop_fd < 0 ? ERR_INTERNAL
		: emulator_create(kind, settings, link, note, NULL, &emulator, &err);
	if (code == ERR_OK) {
		printf("%s\n", emulator_path(emulator));
		fflush(stdout);
		code = emulator_run(emulator, stop_fd, &err);
	}
	emulator_destroy(emulator);
	if (stop_fd >= 0) {
		close(stop_fd);
	}
	if (code != ERR_OK) {
		fprintf(stderr, "focusd emulate: %s\n", err.text);
		return 1;
	}
	return 0;
}

int cmd_emulate(int argc, char **argv)
{
	const struct emulator_kind *kind = NULL;
	if (argc > 1 && argv[1][0] != '-') {
		kind = find_kind(argv[1]);
		if (kind == NULL) {
			fprintf(stderr, "focusd emulate: there is no kind '%s'; see --help\n", argv[1]);
			return 2;
		}
		argc--;
		argv++;
	}
	struct emulator_settings settings = {.fault_count = 0};
	if (kind != NULL) {
		emulator_defaults(kind, &settings);
	}
	const char *link = NULL;
	emulator_note note = NULL;
	int id;
	optind = 0;
	while ((id = getopt_long(argc, argv, "hv", options, NULL)) != -1) {
		switch (id) {
		case 'h':
			print_help(stdout);
			return 0;
		case 'v':
			note = print_bytes;
			break;
		case OPT_LINK:
			link = optarg;
			break;
		case '?':
			return 2;
		case OPT_FAULT:
			if (strcmp(optarg, "help") == 0) {
				print_all_faults(stdout, kind);
				return 0;
			}
			__attribute__((fallthrough));
		default:
			if (!take_option(id, optarg, &settings)) {
				fprintf(stderr, "focusd emulate: '%s' is no value for this option\n",
					optarg);
				return 2;
			}
		}
	}
	if (kind == NULL || optind < argc) {
		fprintf(stderr, "focusd emulate: give one kind of focuser, first; see --help\n");
		return 2;
	}
	struct err err;
	if (emulator_check(kind, &settings, &err) != ERR_OK) {
		fprintf(stderr, "focusd emulate: %s\n", err.text);
		return 2;
	}
	return serve(kind, &settings, link, note);
}
