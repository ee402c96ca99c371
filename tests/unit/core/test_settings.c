/* SPDX-License-Identifier: MIT */
/* Settings that change while the server runs.  Expectations come from settings.h; the sentences are those of
 * focusd --check, as test_config.c has them. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "settings.h"

static const struct config_driver focusers[] = {{.name = "simulator", .quirks = ""}, {.name = NULL}};
static const struct config_driver cameras[] = {{.name = "simulator", .quirks = ""}, {.name = NULL}};
static const struct config_drivers drivers = {.focusers = focusers, .cameras = cameras};

struct rig {
	struct config base;
	struct settings *settings;
	char kept[65536]; /* what was last handed over to be written */
	int keeps;
	int told;
	char folder[64];
};

static void keep(void *ctx, const char *text)
{
	struct rig *rig = ctx;
	rig->keeps++;
	snprintf(rig->kept, sizeof rig->kept, "%s", text);
}

static void listen(void *arg)
{
	struct rig *rig = arg;
	rig->told++;
}

static void begin(struct rig *rig)
{
	struct settings_options options = {.drivers = &drivers, .keep = keep, .ctx = rig};
	struct err err;
	assert_int_equal(settings_create(&rig->base, &options, &rig->settings, &err), ERR_OK);
	assert_true(settings_listen(rig->settings, listen, rig));
}

/* The server ends and starts again by the same files, with what was kept. */
static void restart(struct rig *rig)
{
	struct err err;
	settings_destroy(rig->settings);
	begin(rig);
	if (rig->keeps > 0 && settings_load(rig->settings, span_of(rig->kept), &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	snprintf(rig->folder, sizeof rig->folder, "/tmp/focusd-settings-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	char path[200];
	snprintf(path, sizeof path, "%s/conf.d", rig->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file(rig->folder, "focusd.conf",
		"[server]\nport = 0\n[focuser.0]\ndriver = simulator\nbacklash_steps = 80\n"
		"[camera.0]\ndriver = simulator\n");
	write_file(rig->folder, "conf.d/x.conf", "[autofocus]\n\nexposure_s = 4\n[focuser.0]\nmax_step = 50000\n");
	snprintf(path, sizeof path, "%s/focusd.conf", rig->folder);
	struct buf errors;
	buf_init(&errors, 65536);
	config_defaults(&rig->base);
	assert_int_equal(config_read(&rig->base, path, &errors), ERR_OK);
	buf_fini(&errors);
	begin(rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	settings_destroy(rig->settings);
	static const char *const names[] = {"focusd.conf", "conf.d/x.conf", "conf.d", "settings.json",
		"settings.json.damaged"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[200];
		snprintf(path, sizeof path, "%s/%s", rig->folder, names[i]);
		remove(path);
	}
	rmdir(rig->folder);
	free(rig);
	return 0;
}

static uint64_t change(struct rig *rig, const char *key, const char *value)
{
	struct err err;
	uint64_t number = 0;
	if (settings_set(rig->settings, key, value, "Ada", &number, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return number;
}

static int32_t backlash(struct rig *rig)
{
	const struct config *config = settings_get(rig->settings);
	int32_t steps = config->focuser[0].backlash_steps;
	settings_release(rig->settings, config);
	return steps;
}

static void shows(struct rig *rig, const char *key, const char *value, const char *origin)
{
	struct settings_entry entry;
	struct err err;
	assert_int_equal(settings_show(rig->settings, key, &entry, &err), ERR_OK);
	assert_string_equal(entry.key, key);
	assert_string_equal(entry.value, value);
	if (strncmp(entry.origin, origin, strlen(origin)) != 0) {
		fail_msg("%s comes from '%s', not '%s'", key, entry.origin, origin);
	}
}

static void refused(struct rig *rig, const char *key, const char *value, enum err_code code, const char *says)
{
	struct err err = {.code = ERR_OK};
	uint64_t version = settings_version(rig->settings);
	assert_int_equal(settings_set(rig->settings, key, value, "Ada", NULL, &err), code);
	if (strstr(err.text, says) == NULL) {
		fail_msg("'%s' is not in '%s'", says, err.text);
	}
	assert_int_equal(settings_version(rig->settings), version);
}

static void a_snapshot_stays_as_it_was(void **state)
{
	struct rig *rig = *state;
	const struct config *before = settings_get(rig->settings);
	change(rig, "focuser.0.backlash_steps", "120");
	const struct config *after = settings_get(rig->settings);
	assert_int_equal(before->focuser[0].backlash_steps, 80);
	assert_int_equal(after->focuser[0].backlash_steps, 120);
	assert_int_equal(before->version, 0);
	assert_int_equal(after->version, 1);
	assert_int_equal(settings_version(rig->settings), 1);
	settings_release(rig->settings, before);
	settings_release(rig->settings, after);
	settings_release(rig->settings, NULL);
	assert_int_equal(rig->told, 1);
	assert_int_equal(rig->keeps, 1);
}

static void the_same_sentences_as_the_check(void **state)
{
	struct rig *rig = *state;
	refused(rig, "autofocus.points", "3", ERR_INVALID_VALUE, "points must be 5 to 31 (odd or even), not 3");
	refused(rig, "autofocus.points", "nine", ERR_INVALID_VALUE, "points must be a whole number");
	refused(rig, "autofocus.points", "", ERR_INVALID_VALUE, "points has no value");
	refused(rig, "focuser.0.approach", "unset", ERR_INVALID_VALUE, "approach must be in or out");
	refused(rig, "focuser.0.backlash_steps", "60000", ERR_INVALID_VALUE, "smaller than the range of the focuser");
	refused(rig, "focuser.0.backlash", "1", ERR_INVALID_VALUE, "[focuser.N] has no key 'backlash'");
	refused(rig, "autofocus.pionts", "9", ERR_INVALID_VALUE, "did you mean 'points'?");
	refused(rig, "focuser.9.backlash_steps", "1", ERR_INVALID_VALUE, "must have a number from 0 to 7");
	refused(rig, "focus.backlash_steps", "1", ERR_INVALID_VALUE, "there is no section [focus]");
	refused(rig, "backlash_steps", "1", ERR_INVALID_VALUE, "names no setting");
	refused(rig, "focuser.1.backlash_steps", "1", ERR_INVALID_VALUE, "there is no [focuser.1]");
	refused(rig, "camera.1.pixel_size_um", "3", ERR_INVALID_VALUE, "there is no [camera.1]");
	refused(rig, "focuser.0.temperature_source", "focuser.3", ERR_INVALID_VALUE, "there is no [focuser.3]");
	refused(rig, "telescope.0.obstruction_mm", "50", ERR_INVALID_VALUE, "means nothing without aperture_mm");
	char text[300];
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	refused(rig, "autofocus.filter", text, ERR_INVALID_VALUE, "filter may have at most");
	assert_int_equal(rig->keeps, 0);
	assert_int_equal(rig->told, 0);
}

/* Which driver a device has, and who may reach the server, cannot be changed from a page. */
static void what_is_read_at_the_start_alone(void **state)
{
	struct rig *rig = *state;
	static const char *const keys[] = {"server.bind", "server.port", "server.allowed_hosts", "focuser.0.driver",
		"focuser.0.port", "focuser.0.max_step", "focuser.0.min_step", "focuser.0.reverse", "camera.0.path"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		refused(rig, keys[i], "1", ERR_INVALID_OPERATION, "is read once, when the server starts");
	}
}

static void says_where_each_value_comes_from(void **state)
{
	struct rig *rig = *state;
	shows(rig, "focuser.0.backlash_steps", "80", "focusd.conf:5");
	shows(rig, "autofocus.exposure_s", "4", "conf.d/x.conf:3");
	shows(rig, "focuser.0.approach", "", "default");
	shows(rig, "focuser.0.step_size_um", "", "default");
	shows(rig, "autofocus.region", "1", "default");
	shows(rig, "autofocus.save_frames", "no", "default");
	shows(rig, "focuser.0.temperature_source", "self", "default");
	shows(rig, "server.log_level", "info", "default");
	shows(rig, "camera.0.driver", "simulator", "focusd.conf:7");
	change(rig, "focuser.0.approach", "in");
	change(rig, "focuser.0.step_size_um", "0.1");
	shows(rig, "focuser.0.approach", "in", "changed here 2");
	shows(rig, "focuser.0.step_size_um", "0.1", "changed here 2");
	struct settings_entry entry;
	struct err err;
	assert_int_equal(settings_show(rig->settings, "focuser.0.approach", &entry, &err), ERR_OK);
	assert_int_equal(entry.change, 1);
	assert_non_null(strstr(entry.origin, "Z by Ada"));
	assert_string_equal(entry.option->fallback, "out");
	config_override(&rig->base, "server", "port", "the command line");
	restart(rig);
	shows(rig, "server.port", "0", "the command line");
}

static void undo_names_a_change(void **state)
{
	struct rig *rig = *state;
	struct err err;
	assert_int_equal(change(rig, "focuser.0.backlash_steps", "100"), 1);
	assert_int_equal(change(rig, "focuser.0.backlash_steps", "120"), 2);
	assert_int_equal(change(rig, "focuser.0.backlash_steps", "120"), 2); /* sent again */
	assert_int_equal(settings_undo(rig->settings, 2, &err), ERR_OK);
	assert_int_equal(backlash(rig), 100);
	int keeps = rig->keeps;
	assert_int_equal(settings_undo(rig->settings, 2, &err), ERR_OK); /* sent again */
	assert_int_equal(backlash(rig), 100);
	assert_int_equal(rig->keeps, keeps);
	/* A change that a newer one covers can be undone without any effect that is seen. */
	assert_int_equal(change(rig, "focuser.0.backlash_steps", "140"), 3);
	assert_int_equal(settings_undo(rig->settings, 1, &err), ERR_OK);
	assert_int_equal(backlash(rig), 140);
	assert_int_equal(settings_undo(rig->settings, 3, &err), ERR_OK);
	assert_int_equal(backlash(rig), 80);
	shows(rig, "focuser.0.backlash_steps", "80", "focusd.conf:5");
	assert_int_equal(settings_undo(rig->settings, 4, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "there was no change 4"));
	assert_int_equal(settings_undo(rig->settings, 0, &err), ERR_INVALID_VALUE);
	/* No number is given twice. */
	restart(rig);
	assert_int_equal(change(rig, "focuser.0.backlash_steps", "5"), 4);
}

static void forgets_one_setting(void **state)
{
	struct rig *rig = *state;
	struct err err;
	change(rig, "focuser.0.backlash_steps", "100");
	change(rig, "autofocus.points", "7");
	change(rig, "focuser.0.backlash_steps", "120");
	assert_int_equal(settings_forget(rig->settings, "focuser.0.backlash_steps", &err), ERR_OK);
	assert_int_equal(settings_forget(rig->settings, "focuser.0.backlash_steps", &err), ERR_OK);
	assert_int_equal(settings_forget(rig->settings, "focuser.0.nothing", &err), ERR_INVALID_VALUE);
	restart(rig);
	assert_int_equal(backlash(rig), 80);
	shows(rig, "autofocus.points", "7", "changed here");
}

static void some_settings_only_change_together(void **state)
{
	struct rig *rig = *state;
	struct err err;
	uint64_t number = 0, again = 0;
	const struct settings_wish pair[] = {{"telescope.0.obstruction_mm", "50"}, {"telescope.0.aperture_mm", "200"}};
	assert_int_equal(settings_change(rig->settings, pair, 2, "Ada", &number, &err), ERR_OK);
	assert_int_equal(settings_change(rig->settings, pair, 2, "Ada", &again, &err), ERR_OK);
	assert_int_equal(number, 1);
	assert_int_equal(again, 1);
	/* Settings that are changed together are changed all or none. */
	const struct settings_wish half[] = {{"autofocus.points", "7"}, {"telescope.0.aperture_mm", "40"}};
	assert_int_equal(settings_change(rig->settings, half, 2, "Ada", NULL, &err), ERR_INVALID_VALUE);
	assert_string_equal(err.text, "[telescope.0] obstruction_mm must be smaller than aperture_mm");
	shows(rig, "autofocus.points", "9", "default");
	const struct settings_wish twice[] = {{"autofocus.points", "7"}, {"autofocus.points", "8"}};
	assert_int_equal(settings_change(rig->settings, twice, 2, "Ada", NULL, &err), ERR_INVALID_VALUE);
	/* What an undo would leave has to go together, too. */
	assert_int_equal(settings_forget(rig->settings, "telescope.0.aperture_mm", &err), ERR_INVALID_VALUE);
	shows(rig, "telescope.0.aperture_mm", "200", "changed here");
	assert_int_equal(settings_undo(rig->settings, 1, &err), ERR_OK);
	shows(rig, "telescope.0.obstruction_mm", "0", "default");
}

static void changes_survive_a_restart(void **state)
{
	struct rig *rig = *state;
	struct err err;
	change(rig, "focuser.0.backlash_steps", "100");
	change(rig, "autofocus.filter", "H-alpha \"7 nm\" \xc3\xa9");
	change(rig, "focuser.0.backlash_steps", "120");
	struct settings_entry before, after;
	assert_int_equal(settings_show(rig->settings, "autofocus.filter", &before, &err), ERR_OK);
	restart(rig);
	assert_int_equal(settings_show(rig->settings, "autofocus.filter", &after, &err), ERR_OK);
	assert_string_equal(before.origin, after.origin);
	assert_string_equal(after.value, "H-alpha \"7 nm\" \xc3\xa9");
	assert_int_equal(backlash(rig), 120);
	assert_int_equal(settings_undo(rig->settings, 3, &err), ERR_OK);
	restart(rig);
	assert_int_equal(backlash(rig), 100);
	assert_int_equal(settings_undo(rig->settings, 3, &err), ERR_OK);
	assert_int_equal(backlash(rig), 100);
}

/* The files say now that there is no such camera, and an aperture that is smaller than the obstruction. */
static void a_change_that_does_not_fit_any_more_waits(void **state)
{
	struct rig *rig = *state;
	struct config whole = rig->base;
	rig->base.telescope[0].aperture_mm = 200;
	restart(rig);
	change(rig, "camera.0.pixel_size_um", "3.8");
	change(rig, "telescope.0.obstruction_mm", "60");
	change(rig, "focuser.0.backlash_steps", "120");
	rig->base.camera[0].present = false;
	rig->base.telescope[0].aperture_mm = 50;
	restart(rig);
	assert_int_equal(backlash(rig), 120);
	shows(rig, "telescope.0.obstruction_mm", "0", "default");
	shows(rig, "camera.0.pixel_size_um", "", "default");
	change(rig, "autofocus.points", "7");
	rig->base = whole;
	rig->base.telescope[0].aperture_mm = 200;
	restart(rig);
	shows(rig, "telescope.0.obstruction_mm", "60", "changed here");
	shows(rig, "camera.0.pixel_size_um", "3.8", "changed here");
	shows(rig, "autofocus.points", "7", "changed here");
}

static void a_damaged_text_counts_for_nothing(void **state)
{
	struct rig *rig = *state;
	struct err err;
	static const char *const texts[] = {"{", "[]", "7", "{}", "{\"last\":1}", "{\"last\":-1,\"changes\":{}}",
		"{\"last\":1,\"changes\":[]}", "{\"last\":1,\"changes\":{\"1\":7}}",
		"{\"last\":1,\"changes\":{\"x\":{\"when\":\"\",\"who\":\"\",\"values\":{},\"undone\":{}}}}",
		"{\"last\":1,\"changes\":{\"2\":{\"when\":\"\",\"who\":\"\",\"values\":{},\"undone\":{}}}}",
		"{\"last\":1,\"changes\":{\"1\":{\"who\":\"\",\"values\":{},\"undone\":{}}}}",
		"{\"last\":1,\"changes\":{\"1\":{\"when\":\"\",\"who\":\"\",\"values\":{\"autofocus.points\":7},"
		"\"undone\":{}}}}",
		"{\"last\":9,\"changes\":{\"1\":{\"when\":\"\",\"who\":\"\",\"values\":{\"autofocus.points\":\"7\"},"
		"\"undone\":{}},\"1\":{\"when\":\"\",\"who\":\"\",\"values\":{\"autofocus.points\":\"7\"},"
		"\"undone\":{}}}}"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (settings_load(rig->settings, span_of(texts[i]), &err) != ERR_INVALID_VALUE) {
			fail_msg("taken: %s", texts[i]);
		}
		assert_non_null(strstr(err.text, "settings.json is damaged"));
		shows(rig, "autofocus.points", "9", "default");
	}
	/* Settings of another version are left out, the others count. */
	assert_int_equal(settings_load(rig->settings, span_of("{\"last\":4,\"changes\":{\"3\":{\"when\":\"then\","
		"\"who\":\"Bo\",\"values\":{\"autofocus.magic\":\"1\",\"server.bind\":\"::1\","
		"\"autofocus.points\":\"7\"},"
		"\"undone\":{\"autofocus.gain\":\"5\"}}}}"), &err), ERR_OK);
	shows(rig, "autofocus.points", "7", "changed here then by Bo");
	shows(rig, "server.bind", "", "default");
	shows(rig, "autofocus.gain", "", "default");
	assert_int_equal(change(rig, "autofocus.points", "8"), 5);
}

static bool exists(const char *folder, const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void a_damaged_file_is_put_aside(void **state)
{
	struct rig *rig = *state;
	char path[200];
	snprintf(path, sizeof path, "%s/settings.json", rig->folder);
	settings_load_file(rig->settings, path); /* there is none */
	assert_false(exists(rig->folder, "settings.json.damaged"));
	change(rig, "focuser.0.backlash_steps", "120");
	write_file(rig->folder, "settings.json", rig->kept);
	settings_destroy(rig->settings);
	begin(rig);
	settings_load_file(rig->settings, path);
	assert_int_equal(backlash(rig), 120);
	/* A power cut came in the middle of a write that was done without the care that the writer takes. */
	rig->kept[strlen(rig->kept) / 2] = '\0';
	write_file(rig->folder, "settings.json", rig->kept);
	settings_destroy(rig->settings);
	begin(rig);
	settings_load_file(rig->settings, path);
	assert_int_equal(backlash(rig), 80);
	assert_false(exists(rig->folder, "settings.json"));
	assert_true(exists(rig->folder, "settings.json.damaged"));
	change(rig, "focuser.0.backlash_steps", "90");
}

/* More changes are made than are remembered: those that stand are never forgotten, the oldest covered ones are. */
static void the_oldest_changes_are_forgotten(void **state)
{
	struct rig *rig = *state;
	struct err err;
	change(rig, "autofocus.points", "7");
	for (int i = 0; i < SETTINGS_KEPT_MAX + 10; i++) {
		char value[16];
		snprintf(value, sizeof value, "%d", i);
		change(rig, "focuser.0.backlash_steps", value);
	}
	restart(rig);
	assert_int_equal(backlash(rig), SETTINGS_KEPT_MAX + 9);
	shows(rig, "autofocus.points", "7", "changed here");
	assert_int_equal(settings_undo(rig->settings, 2, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "not remembered any more"));
	assert_int_equal(settings_undo(rig->settings, SETTINGS_KEPT_MAX + 11, &err), ERR_OK);
	assert_int_equal(backlash(rig), SETTINGS_KEPT_MAX + 8);
}

struct count {
	int entries, live, focuser_1;
};

static void count_entry(void *ctx, const struct settings_entry *entry)
{
	struct count *count = ctx;
	count->entries++;
	count->live += entry->option->live ? 1 : 0;
	count->focuser_1 += strncmp(entry->key, "focuser.1.", 10) == 0 ? 1 : 0;
	assert_true(entry->origin[0] != '\0');
}

static void lists_what_is_configured(void **state)
{
	struct rig *rig = *state;
	struct count count = {0};
	settings_list(rig->settings, count_entry, &count);
	/* Each section has one device here. */
	assert_int_equal(count.entries, config_option_count);
	assert_in_range(count.live, 10, config_option_count - 10);
	assert_int_equal(count.focuser_1, 0);
}

/* Each value that can be printed reads back as the same configuration. */
static void values_print_as_they_are_read(void **state)
{
	struct rig *rig = *state;
	static const struct settings_wish wishes[] = {{"focuser.0.temperature_source", "action"},
		{"focuser.0.step_size_um", "0.1"}, {"focuser.0.settle_ms", "250"}, {"focuser.0.open_wait_ms", "0"},
		{"autofocus.save_frames", "yes"}, {"autofocus.gain", "0"}, {"server.log_level", "trace"},
		{"autofocus.max_radius_steps", "1500.5"}, {"server.location", "Pier 3"}, {"autofocus.region", "0.25"}};
	for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
		change(rig, wishes[i].key, wishes[i].value);
		shows(rig, wishes[i].key, wishes[i].value, "changed here");
	}
}

/* Readers on two threads see whole snapshots only: backlash and settling are always changed together. */
struct reader {
	struct settings *settings;
	atomic_bool *stop;
	int torn, seen;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;
	uint64_t last = 0;
	do {
		const struct config *config = settings_get(r->settings);
		r->torn += config->focuser[0].backlash_steps != config->focuser[0].settle_ms + 80;
		r->torn += config->version < last;
		last = config->version;
		settings_release(r->settings, config);
		r->seen++;
	} while (!atomic_load(r->stop));
	return NULL;
}

static void readers_see_whole_snapshots(void **state)
{
	struct rig *rig = *state;
	enum { READERS = 2, CHANGES = 200 };
	atomic_bool stop = false;
	struct reader reader[READERS];
	pthread_t thread[READERS];
	for (int i = 0; i < READERS; i++) {
		reader[i] = (struct reader){.settings = rig->settings, .stop = &stop};
		assert_int_equal(pthread_create(&thread[i], NULL, read_on, &reader[i]), 0);
	}
	for (int i = 1; i <= CHANGES; i++) {
		char settle[16], steps[16];
		struct err err;
		snprintf(settle, sizeof settle, "%d", i);
		snprintf(steps, sizeof steps, "%d", i + 80);
		const struct settings_wish pair[] = {{"focuser.0.settle_ms", settle},
			{"focuser.0.backlash_steps", steps}};
		assert_int_equal(settings_change(rig->settings, pair, 2, "Ada", NULL, &err), ERR_OK);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(reader[i].torn, 0);
		assert_true(reader[i].seen > 0);
	}
	assert_int_equal(backlash(rig), CHANGES + 80);
}

int main(void)
{
	log_set_level(LOG_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_snapshot_stays_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_sentences_as_the_check, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_read_at_the_start_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(says_where_each_value_comes_from, setup, teardown),
		cmocka_unit_test_setup_teardown(undo_names_a_change, setup, teardown),
		cmocka_unit_test_setup_teardown(forgets_one_setting, setup, teardown),
		cmocka_unit_test_setup_teardown(some_settings_only_change_together, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_survive_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_that_does_not_fit_any_more_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_text_counts_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_put_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_changes_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_what_is_configured, setup, teardown),
		cmocka_unit_test_setup_teardown(values_print_as_they_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_see_whole_snapshots, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
