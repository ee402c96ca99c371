/* SPDX-License-Identifier: MIT */
/*
 * record_transcripts FOLDER: takes each serial driver through situations on its emulated device, over a real
 * pseudo terminal, and writes what was said into FOLDER, one transcript a situation.  `ninja transcripts` calls it
 * for the folder that test_replay plays.  What it writes is the driver of this build against the emulator of
 * this build: it holds the driver to what it says today, and says nothing about real devices.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "emulator.h"
#include "focuser_driver.h"
#include "transcript.h"

/* Between two polls, as core leaves some time there. */
#define POLL_EVERY_MS 100
/* A loop of polls that has not ended by then never will. */
#define GIVE_UP_MS 20000
#define MAX_TEXT (1 << 20)

struct situation {
	const char *driver;  /* and kind of emulated device */
	const char *name;
	const char *about;   /* for the head of the file */
	const char *faults, *quirks; /* words, separated by blanks */
	int32_t position;    /* where it stands at the start */
	double factor;       /* its motor is faster than life by this */
	/* Calls as transcripts name them ("move 7700"), and: "until-rest", "until-moves", "until-calibrated" poll
	 * until that is so; "polls N" polls N times. */
	const char *calls[16];
};

/* Those of the line that an exchange gets over. */
#define BAD_ANSWERS "late-reply half-reply no-reply-once"

static const struct situation situations[] = {
	{"moonlite", "moves", "moves, a halt on the way, the temperature", "", "", 7600, 5,
		{"open", "identify", "poll 3", "move 7700", "until-rest", "move 20000", "until-moves", "halt",
			"until-rest", "poll 3", "close"}},
	{"moonlite", "bad-answers", "late, halved and lost answers", BAD_ANSWERS, "", 5000, 5,
		{"open", "identify", "polls 6", "move 5300", "until-rest", "close"}},
	{"celestron", "moves", "moves, a halt on the way", "", "", 20000, 5,
		{"open", "identify", "poll 1", "move 21000", "until-rest", "move 15000", "until-moves", "halt",
			"until-rest", "move 15200", "until-rest", "close"}},
	{"celestron", "calibration", "one calibration that is aborted, one that ends", "uncalibrated", "", 3000, 200,
		{"open", "identify", "calibrate start", "polls 2", "calibrate abort", "poll 5", "calibrate start",
			"until-calibrated", "identify", "poll 1", "move 20100", "until-rest", "close"}},
	{"celestron", "hand-controller", "through a hand controller", "hand-controller", "hand-controller", 20000, 5,
		{"open", "identify", "poll 1", "move 20400", "until-moves", "halt", "until-rest", "close"}},
	{"celestron", "bus", "on the bus of a mount: echoes, and others talk", "echo foreign", "aux-port no-cts",
		20000, 5, {"open", "identify", "poll 1", "move 20300", "until-rest", "close"}},
	{"celestron", "bad-answers", "late, halved and lost answers", BAD_ANSWERS, "", 20000, 5,
		{"open", "identify", "polls 6", "move 20300", "until-rest", "close"}},
	{"celestron", "refusal", "a goto that is refused, a halt all the same", "refuse", "", 20000, 5,
		{"open", "identify", "move 20300", "halt", "poll 1", "close"}},
	{"myfocuserpro2", "moves", "moves, a halt on the way, the temperature, backlash of its own", "own-backlash", "",
		20000, 5, {"open", "identify", "poll 3", "poll 1", "move 20400", "until-rest", "move 26000",
			"until-moves", "halt", "until-rest", "poll 3", "close"}},
	{"myfocuserpro2", "settings", "its position set, its compensation switched on and off", "", "", 20000, 5,
		{"open", "identify", "set_position 12345", "poll 1", "tempcomp 1", "tempcomp 0", "poll 3", "close"}},
	{"myfocuserpro2", "retarget", "a new target on the way", "two-digit-moving", "", 20000, 5,
		{"open", "identify", "move 26000", "until-moves", "move 19000", "until-rest", "close"}},
	{"myfocuserpro2", "bad-answers", "late, halved and lost answers", BAD_ANSWERS, "",
		20000, 5, {"open", "identify", "polls 6", "move 20300", "until-rest", "close"}},
};

struct recording {
	const struct situation *what;
	const struct focuser_driver *driver;
	struct buf text;
	int64_t begun_ms;
	void *ctx;
	struct driver_host host;
	struct focuser_port port;
	struct focuser_caps caps;
	struct focuser_reading reading;
};

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

static void note(void *ctx, char kind, const void *data, size_t len)
{
	struct recording *r = ctx;
	transcript_print(&r->text, now_ms() - r->begun_ms, kind, data, len);
}

static void note_text(struct recording *r, char kind, const char *text)
{
	note(r, kind, text, strlen(text));
}

static void note_reading(struct recording *r)
{
	char text[120];
	int n = 0;
	if (r->reading.position_valid && r->reading.moving_valid) {
		n += snprintf(text, sizeof text, "position=%d moving=%d ", (int)r->reading.position, r->reading.moving);
	}
	if (r->reading.temperature_valid) {
		char number[32];
		text_print_double(number, r->reading.temperature_c);
		n += snprintf(text + n, sizeof text - (size_t)n, "temperature=%s ", number);
	}
	if (r->reading.calibration_valid) {
		n += snprintf(text + n, sizeof text - (size_t)n, "calibration=%d ", (int)r->reading.calibration);
	}
	if (n > 0) {
		note(r, TRANSCRIPT_RESULT, text, (size_t)n - 1);
	}
}

/* One call by its name; what it came to is noted. */
static enum err_code call(struct recording *r, const char *name)
{
	const struct focuser_driver *d = r->driver;
	struct err err = {0};
	int number = 0;
	enum err_code code = ERR_NOT_IMPLEMENTED;
	note_text(r, TRANSCRIPT_CALL, name);
	if (strcmp(name, "open") == 0) {
		code = d->open(r->ctx, &r->port, &r->host, &err);
	} else if (strcmp(name, "identify") == 0) {
		r->caps = (struct focuser_caps){0};
		code = d->identify(r->ctx, &r->caps, &err);
	} else if (strcmp(name, "close") == 0) {
		d->close(r->ctx);
		code = ERR_OK;
	} else if (strcmp(name, "halt") == 0) {
		code = d->halt(r->ctx, &err);
	} else if (strncmp(name, "calibrate ", 10) == 0 && d->calibrate != NULL) {
		code = d->calibrate(r->ctx, strcmp(name, "calibrate start") == 0, &err);
	} else if (sscanf(name, "poll %d", &number) == 1) {
		r->reading = (struct focuser_reading){0};
		code = d->poll(r->ctx, (unsigned)number, &r->reading, &err);
	} else if (sscanf(name, "move %d", &number) == 1) {
		code = d->start_move(r->ctx, number, &err);
	} else if (sscanf(name, "tempcomp %d", &number) == 1 && d->set_tempcomp != NULL) {
		code = d->set_tempcomp(r->ctx, number != 0, &err);
	} else if (sscanf(name, "set_position %d", &number) == 1 && d->set_position != NULL) {
		code = d->set_position(r->ctx, number, &err);
	}
	if (code != ERR_OK) {
		note_text(r, TRANSCRIPT_FAILED, err_name(code));
	} else if (strcmp(name, "identify") == 0) {
		char text[160];
		snprintf(text, sizeof text, "identity=%s", r->caps.identity);
		note_text(r, TRANSCRIPT_RESULT, text);
		snprintf(text, sizeof text, "max_step=%d", (int)r->caps.max_step);
		note_text(r, TRANSCRIPT_RESULT, text);
	} else if (strncmp(name, "poll", 4) == 0) {
		note_reading(r);
	}
	return code;
}

static void pause_between_polls(void)
{
	const struct timespec pause = {.tv_nsec = POLL_EVERY_MS * 1000000L};
	nanosleep(&pause, NULL);
}

static bool reached(const struct recording *r, const char *wish)
{
	if (strcmp(wish, "until-calibrated") == 0) {
		return r->reading.calibration_valid && r->reading.calibration == FOCUSER_CALIBRATION_DONE;
	}
	return r->reading.moving_valid && r->reading.moving == (strcmp(wish, "until-moves") == 0);
}

/* False when it never came about. */
static bool poll_until(struct recording *r, const char *wish)
{
	const char *poll = strcmp(wish, "until-calibrated") == 0 ? "poll 5" : "poll 1";
	int64_t give_up_ms = now_ms() + GIVE_UP_MS;
	while (now_ms() < give_up_ms) {
		if (call(r, poll) == ERR_OK && reached(r, wish)) {
			return true;
		}
		pause_between_polls();
	}
	return false;
}

static bool step(struct recording *r, const char *name)
{
	int count = 0;
	if (strncmp(name, "until-", 6) == 0) {
		return poll_until(r, name);
	}
	if (sscanf(name, "polls %d", &count) == 1) {
		for (int i = 0; i < count; i++) {
			(void)call(r, "poll 1");
			pause_between_polls();
		}
		return true;
	}
	enum err_code code = call(r, name);
	/* Core repeats an identify, too. */
	for (int i = 0; i < 3 && code != ERR_OK && strcmp(name, "identify") == 0; i++) {
		code = call(r, name);
	}
	return code == ERR_OK || strcmp(name, "open") != 0;
}

struct device {
	struct emulator *emulator;
	int stop_fd;
};

static void *serve(void *arg)
{
	const struct device *device = arg;
	struct err err;
	return emulator_run(device->emulator, device->stop_fd, &err) == ERR_OK ? NULL : arg;
}

static const struct emulator_kind *kind_of(const char *name)
{
	const struct emulator_kind *const *kind = emulator_kinds;
	while (*kind != NULL && strcmp((*kind)->name, name) != 0) {
		kind++;
	}
	return *kind;
}

static bool start_device(const struct situation *s, char *words, struct device *device)
{
	struct emulator_settings settings;
	struct err err = {0};
	const struct emulator_kind *kind = kind_of(s->driver);
	if (kind == NULL) {
		fprintf(stderr, "there is no emulated %s\n", s->driver);
		return false;
	}
	emulator_defaults(kind, &settings);
	settings.position = s->position;
	settings.time_factor = s->factor;
	char *save = NULL;
	for (char *word = strtok_r(words, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		settings.faults[settings.fault_count++] = word;
	}
	device->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (device->stop_fd < 0 ||
		emulator_create(kind, &settings, NULL, NULL, NULL, &device->emulator, &err) != ERR_OK) {
		fprintf(stderr, "%s: %s\n", s->driver, device->stop_fd < 0 ? strerror(errno) : err.text);
		return false;
	}
	return true;
}

static void write_head(struct recording *r)
{
	const struct situation *s = r->what;
	buf_printf(&r->text,
		"# focusd transcript 1\n# driver: %s\n# port: /dev/pts/0\n", s->driver);
	if (s->quirks[0] != '\0') {
		buf_printf(&r->text, "# quirks: %s\n", s->quirks);
	}
	buf_printf(&r->text,
		"# Recorded by record_transcripts from the driver on the emulated device, not from a real one: %s.\n"
		"# Emulator: position %d, motor %g times faster%s%s.\n#\n", s->about, (int)s->position, s->factor,
		s->faults[0] != '\0' ? ", faults " : "", s->faults);
}

static bool save(const struct recording *r, const char *folder)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s-emulator-%s.txt", folder, r->what->driver, r->what->name);
	FILE *file = fopen(path, "w");
	bool good = file != NULL && !r->text.failed && fwrite(r->text.data, 1, r->text.len, file) == r->text.len;
	good = file != NULL && fclose(file) == 0 && good;
	printf("%s %s\n", good ? "wrote" : "CANNOT WRITE", path);
	return good;
}

static bool record(const struct situation *s, const char *folder)
{
	struct recording r = {.what = s, .driver = focuser_driver_find(s->driver)};
	struct device device = {0};
	char words[200];
	snprintf(words, sizeof words, "%s", s->faults);
	if (r.driver == NULL || !start_device(s, words, &device)) {
		return false;
	}
	pthread_t thread;
	r.ctx = calloc(1, r.driver->ctx_size);
	if (r.ctx == NULL || pthread_create(&thread, NULL, serve, &device) != 0) {
		abort();
	}
	buf_init(&r.text, MAX_TEXT);
	write_head(&r);
	r.host = (struct driver_host){.clock = clock_real(), .source = s->driver, .note = note, .note_ctx = &r};
	snprintf(r.port.port, sizeof r.port.port, "%s", emulator_path(device.emulator));
	snprintf(r.port.quirks, sizeof r.port.quirks, "%s", s->quirks);
	r.begun_ms = now_ms();
	bool good = true;
	for (size_t i = 0; good && i < sizeof s->calls / sizeof s->calls[0] && s->calls[i] != NULL; i++) {
		good = step(&r, s->calls[i]);
		if (!good) {
			fprintf(stderr, "%s %s: \"%s\" did not come about\n", s->driver, s->name, s->calls[i]);
		}
	}
	r.driver->close(r.ctx);
	uint64_t one = 1;
	good = write(device.stop_fd, &one, sizeof one) == sizeof one && good;
	pthread_join(thread, NULL);
	emulator_destroy(device.emulator);
	close(device.stop_fd);
	good = good && save(&r, folder);
	buf_fini(&r.text);
	free(r.ctx);
	return good;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "record_transcripts FOLDER\n");
		return 2;
	}
	int failures = 0;
	for (size_t i = 0; i < sizeof situations / sizeof situations[0]; i++) {
		failures += !record(&situations[i], argv[1]);
	}
	return failures > 0;
}
