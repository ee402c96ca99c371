/* SPDX-License-Identifier: MIT */
/*
 * `focusd af`: starts, shows and ends a run of a server that serves, for sequencers that can call a program and look at
 * its exit code, and for people.  It says one line on standard output and asks nothing.
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "af_talk.h"
#include "clock.h"
#include "json.h"
#include "progress.h"

static const char help[] =
	"Usage: focusd af run|status|abort [OPTION]...\n"
	"Start, show or end an autofocus run of a server that runs.\n"
	"\n"
	"  -u, --url URL          the server (http://127.0.0.1:11111)\n"
	"  -n, --focuser N        its focuser (0)\n"
	"  -f, --filter NAME      the filter that is in\n"
	"  -m, --mode MODE        full (default), quick (as few frames as what is known allows),\n"
	"                         check (one frame: in focus or not)\n"
	"  -t, --timeout S        end the run after this many seconds (3600)\n"
	"  -q, --quiet            say nothing of a success\n"
	"  -r, --nina-report DIR  put a report there that N.I.N.A. draws\n"
	"  -h, --help             this text\n"
	"\n"
	"Exit code: 0 focused, 1 it was in focus already (check), 10 it failed and the focuser is\n"
	"back where it began, 11 no stars, 12 focuser or camera, or the focuser is elsewhere,\n"
	"13 refused: something else goes on, 20 no answer from the server, 64 usage.\n";

/* What sequencers are told; the numbers are the public contract of the program. */
enum outcome {
	GOOD = 0,
	NOTHING_GAINED = 1,
	BAD_RUN = 10,
	NO_STARS = 11,
	HARDWARE = 12,
	IS_BUSY = 13,
	UNREACHABLE = 20,
	USAGE = 64,
};

/* The run is looked at so often, s; the server holds the call so long. */
#define LOOK_S "1"
/* The focuser has so long to come back after an abort: the longest move of a run. */
#define RETURN_MS 600000
#define TIMEOUT_S 3600

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

/* Says how it ended, in one line. */
static enum outcome say(const struct af_call *af, enum outcome outcome, const char *text)
{
	progress_clear();
	if (!af->quiet || outcome > NOTHING_GAINED) {
		puts(text);
	}
	return outcome;
}

/* Says that the server cannot be reached, and why. */
static enum outcome say_gone(const struct af_call *af)
{
	char line[400];
	snprintf(line, sizeof line, "no answer from %s: %s", af->url, af->err.text);
	return say(af, UNREACHABLE, line);
}

static double number(const struct json *object, const char *name)
{
	double value = NAN;
	json_as_double(json_get(object, name), &value);
	return value;
}

static const char *text(const struct json *object, const char *name)
{
	const char *value = "";
	json_as_string(json_get(object, name), &value);
	return value;
}

/* ---- the line ---- */

static void success_line(const struct json *run, char *out, size_t cap)
{
	double sigma = number(run, "uncertainty_steps");
	double zone = number(run, "critical_focus_zone_steps");
	double best = number(run, "best_position");
	double hfr = number(run, "hfr_final_px");
	int at = snprintf(out, cap, "focus %.0f", isfinite(best) ? best : number(run, "final_position"));
	if (isfinite(sigma)) {
		at += snprintf(out + at, cap - (size_t)at, " +- %.*f steps", sigma < 1 ? 1 : 0, sigma);
	}
	if (isfinite(sigma) && zone > 0) {
		at += snprintf(out + at, cap - (size_t)at, " (%.2f Z)", sigma / zone);
	}
	if (isfinite(hfr)) {
		at += snprintf(out + at, cap - (size_t)at, ", HFR %.2f px", hfr);
	}
	double frames = number(run, "exposures");
	snprintf(out + at, cap - (size_t)at, ", %.0f s, %.0f frame%s", number(run, "duration_s"), frames,
		frames == 1 ? "" : "s");
}

/* Whether the focuser stands where the run began. */
static bool is_back(const struct json *run)
{
	return fabs(number(run, "final_position") - number(run, "start_position")) < 1;
}

/* What the end of a run means for a sequencer. The numbers are those of the contract: 0x510 no stars, 0x514 the
 * focuser failed, 0x515 the camera failed. */
static enum outcome outcome_of(const struct json *run)
{
	const char *state = text(run, "state");
	double error = number(run, "error_number");
	if (strcmp(state, "succeeded") == 0) {
		return strcmp(text(run, "mode"), "check") == 0 ? NOTHING_GAINED : GOOD;
	}
	if (strcmp(state, "aborted") == 0) {
		return is_back(run) ? BAD_RUN : HARDWARE;
	}
	return error == err_alpaca_number(ERR_NO_STARS) ? NO_STARS
	       : error == err_alpaca_number(ERR_FOCUSER) || error == err_alpaca_number(ERR_CAMERA) ? HARDWARE : BAD_RUN;
}

static enum outcome say_end(const struct af_call *af, const struct json *run)
{
	char line[400];
	enum outcome outcome = outcome_of(run);
	if (outcome <= NOTHING_GAINED) {
		success_line(run, line, sizeof line);
	} else {
		snprintf(line, sizeof line, "%s: %s", text(run, "state"), text(run, "reason"));
	}
	return say(af, outcome, line);
}

static void show_progress(const struct json *run)
{
	char line[100];
	double hfr = NAN, position = NAN;
	const struct json *points = json_get(run, "points");
	for (int i = 0; json_element(points, i) != NULL; i++) {
		hfr = number(json_element(points, i), "hfr_px");
		position = number(json_element(points, i), "position");
	}
	int at = snprintf(line, sizeof line, "%s, %.0f %%, %.0f frames", text(run, "phase"),
		100 * number(run, "progress"), number(run, "exposures"));
	if (isfinite(hfr)) {
		snprintf(line + at, sizeof line - (size_t)at, ", HFR %.2f px at %.0f", hfr, position);
	}
	progress_line(line);
}

/* ---- the report ---- */

/* Writes the whole of the reply into a new file of the folder; false with errno. N.I.N.A. reads a file as soon as it is
 * there and does not see one that is renamed inside the folder, so it is made outside and linked in. */
static bool write_report(struct af_call *af, const char *name)
{
	char path[1100], made[1100];
	snprintf(path, sizeof path, "%s/%s", af->report, name);
	snprintf(made, sizeof made, "%s/../.focusd-%ld.json", af->report, (long)getpid());
	int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool outside = fd >= 0;
	if (!outside) {
		/* The folder above belongs to somebody else. */
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	}
	bool good = fd >= 0 && write(fd, af->reply.data, af->reply.len) == (ssize_t)af->reply.len;
	good = fd >= 0 && close(fd) == 0 && good && (!outside || rename(made, path) == 0);
	if (outside && !good) {
		int reason = errno;
		unlink(made);
		errno = reason;
	}
	return good;
}

static void report(struct af_call *af, const struct json *run)
{
	if (af->report == NULL) {
		return;
	}
	char path[80], name[80];
	int status = 0;
	snprintf(path, sizeof path, "/focusd/v1/runs/%.0f?format=nina", number(run, "run"));
	if (af_http(&af->server, "GET", path, "", AF_PATIENCE_MS, NULL, &status, &af->reply, &af->err) != ERR_OK ||
		status != 200) {
		fprintf(stderr, "focusd af: the report of the run cannot be had\n");
		return;
	}
	time_t now = time(NULL);
	struct tm local;
	strftime(name, sizeof name, "%Y-%m-%d--%H-%M-%S--Focusd.json", localtime_r(&now, &local));
	if (!write_report(af, name)) {
		fprintf(stderr, "focusd af: %s/%s cannot be written: %s\n", af->report, name, strerror(errno));
	}
}

/* ---- the subcommands ---- */

static enum outcome refused(const struct af_call *af, int number)
{
	char line[400];
	if (number < 0 && af->err.code != ERR_PROTOCOL) {
		return say_gone(af);
	}
	snprintf(line, sizeof line, "refused: %s", number < 0 ? af->err.text : af->message);
	return say(af,
		number == err_alpaca_number(ERR_INVALID_OPERATION) ? IS_BUSY
		: number < 0 || number == err_alpaca_number(ERR_INVALID_VALUE) ? USAGE : HARDWARE,
		line);
}

/* Starts the run. When a device is not connected, focuser and camera of this number are connected and the run is
 * started again. */
static int start(struct af_call *af, double *id)
{
	struct buf parameters;
	struct json_writer w;
	struct json *run = NULL;
	buf_init(&parameters, AF_REPLY_MAX);
	json_begin(&w, &parameters);
	json_object(&w);
	json_key_string(&w, "mode", af->mode);
	if (af->filter != NULL) {
		json_key_string(&w, "filter", af->filter);
	}
	json_end_object(&w);
	int result = af_action(af, "Autofocus", buf_text(&parameters), &run, NULL);
	if (result == err_alpaca_number(ERR_NOT_CONNECTED) &&
		af_put(af, "focuser", af->focuser, "connected", "Connected=True", NULL, NULL) == 0 &&
		af_put(af, "camera", af->focuser, "connected", "Connected=True", NULL, NULL) >= 0) {
		result = af_action(af, "Autofocus", buf_text(&parameters), &run, NULL);
	}
	*id = number(run, "run");
	json_free(run);
	buf_fini(&parameters);
	return result;
}

static enum outcome run_it(struct af_call *af)
{
	double id_number = NAN;
	int64_t until_ms = clock_now_ms(clock_real()) + (int64_t)af->timeout_s * 1000;
	int result = start(af, &id_number);
	if (result != 0) {
		return refused(af, result);
	}
	char id[32];
	snprintf(id, sizeof id, "%.0f", id_number);
	bool ended = false;
	for (;;) {
		struct json *run = af_look(af, id);
		if (run == NULL) {
			return say_gone(af);
		}
		if (strcmp(text(run, "state"), "running") != 0) {
			enum outcome outcome = say_end(af, run);
			report(af, run);
			json_free(run);
			return outcome;
		}
		show_progress(run);
		json_free(run);
		int64_t now_ms = clock_now_ms(clock_real());
		if (!ended && (stopped != 0 || now_ms >= until_ms)) {
			af_action(af, "AutofocusAbort", "", NULL, NULL);
			ended = true;
			until_ms = now_ms + RETURN_MS;
		} else if (ended && now_ms >= until_ms) {
			return say(af, HARDWARE, "the run does not end");
		}
		/* The server holds this call for a second, or until the run is over; what it answers is looked at
		 * above. */
		af_action(af, "AutofocusWait", LOOK_S, NULL, ended ? NULL : &stopped);
	}
}

static enum outcome show_status(struct af_call *af)
{
	struct json *run = NULL;
	int result = af_action(af, "AutofocusStatus", "", &run, NULL);
	if (result != 0) {
		return refused(af, result);
	}
	enum outcome outcome = NOTHING_GAINED;
	char line[120];
	if (strcmp(text(run, "state"), "none") == 0) {
		say(af, outcome, "no run yet");
	} else if (strcmp(text(run, "state"), "running") == 0) {
		snprintf(line, sizeof line, "running: run %.0f, %s, %.0f %%, %.0f frames", number(run, "run"),
			text(run, "phase"), 100 * number(run, "progress"), number(run, "exposures"));
		outcome = say(af, IS_BUSY, line);
	} else {
		outcome = say_end(af, run);
	}
	json_free(run);
	return outcome;
}

static enum outcome abort_it(struct af_call *af)
{
	int64_t until_ms = clock_now_ms(clock_real()) + (int64_t)af->timeout_s * 1000;
	struct json *run = NULL;
	int result = af_action(af, "AutofocusAbort", "", NULL, NULL);
	if (result != 0) {
		return refused(af, result);
	}
	while ((run = af_look(af, "")) != NULL && strcmp(text(run, "state"), "running") == 0) {
		json_free(run);
		if (stopped != 0 || clock_now_ms(clock_real()) >= until_ms) {
			return say(af, HARDWARE, "the run does not end");
		}
		af_action(af, "AutofocusWait", LOOK_S, NULL, &stopped);
	}
	if (run == NULL) {
		return say_gone(af);
	}
	bool back = strcmp(text(run, "state"), "aborted") != 0 || is_back(run);
	char line[400];
	snprintf(line, sizeof line, "%s", text(run, "reason")[0] != '\0' ? text(run, "reason") : "no run goes on");
	json_free(run);
	return say(af, back ? GOOD : HARDWARE, line);
}

/* ---- the command line ---- */

static const struct {
	const char *name;
	enum outcome (*run)(struct af_call *af);
} verbs[] = {{"run", run_it}, {"status", show_status}, {"abort", abort_it}};

static int usage(const char *what)
{
	fprintf(stderr, "focusd af: %s; see focusd af --help\n", what);
	return USAGE;
}

/* Reads the options; -1 to go on, else the exit code. */
static int read_options(struct af_call *af, int argc, char **argv)
{
	static const struct option known[] = {
		{"url", required_argument, NULL, 'u'},
		{"focuser", required_argument, NULL, 'n'},
		{"filter", required_argument, NULL, 'f'},
		{"mode", required_argument, NULL, 'm'},
		{"timeout", required_argument, NULL, 't'},
		{"quiet", no_argument, NULL, 'q'},
		{"nina-report", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool good = true;
	int c;
	optind = 0;
	while ((c = getopt_long(argc, argv, "u:n:f:m:t:qr:h", known, NULL)) != -1) {
		switch (c) {
		case 'u':
			af->url = optarg;
			break;
		case 'n':
			good = text_parse_u32(span_of(optarg), &af->focuser);
			break;
		case 'f':
			af->filter = optarg;
			break;
		case 'm':
			af->mode = optarg;
			good = strcmp(optarg, "full") == 0 || strcmp(optarg, "quick") == 0 ||
			       strcmp(optarg, "check") == 0;
			break;
		case 't':
			good = text_parse_u32(span_of(optarg), &af->timeout_s) && af->timeout_s > 0;
			break;
		case 'q':
			af->quiet = true;
			break;
		case 'r':
			af->report = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return usage("this option is not known or lacks its value");
		}
		if (!good) {
			return usage("the mode is full, quick or check; focuser and timeout are whole numbers");
		}
	}
	return -1;
}

int cmd_af(int argc, char **argv)
{
	struct af_call af = {.url = "http://127.0.0.1:11111", .mode = "full", .timeout_s = TIMEOUT_S};
	int code = read_options(&af, argc, argv);
	if (code >= 0) {
		return code;
	}
	if (af_server_parse(af.url, &af.server, &af.err) != ERR_OK) {
		return usage(af.err.text);
	}
	const char *verb = optind + 1 == argc ? argv[optind] : "";
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verb, verbs[i].name) == 0) {
			/* A sequencer that gives up ends this program by a signal; the run then ends, too. No
			 * SA_RESTART: a wait ends at once. */
			struct sigaction on = {.sa_handler = on_signal};
			sigaction(SIGINT, &on, NULL);
			sigaction(SIGTERM, &on, NULL);
			/* Each call of the program is a client of its own, so that no start is taken for the
			 * repetition of an earlier one. */
			af.client = (uint32_t)getpid();
			af.transaction = (uint32_t)clock_utc_ms() & 0x3fffffff;
			buf_init(&af.reply, AF_REPLY_MAX);
			code = (int)verbs[i].run(&af);
			buf_fini(&af.reply);
			return code;
		}
	}
	return usage("say run, status or abort");
}
