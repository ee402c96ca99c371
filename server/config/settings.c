/* SPDX-License-Identifier: MIT */
#include "settings_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static struct settings_snapshot *snapshot_of(const struct config *config)
{
	struct settings_snapshot *snapshot = calloc(1, sizeof *snapshot);
	if (snapshot != NULL) {
		snapshot->config = *config;
	}
	return snapshot;
}

enum err_code settings_create(const struct config *base, const struct settings_options *options, struct settings **out,
	struct err *err)
{
	struct settings *s = calloc(1, sizeof *s);
	struct settings_snapshot *first = snapshot_of(base);
	if (s == NULL || first == NULL) {
		free(s);
		free(first);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	s->base = *base;
	s->options = *options;
	s->newest = first;
	atomic_init(&s->version, first->config.version);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->change_lock, NULL);
	pthread_mutex_init(&s->listen_lock, NULL);
	*out = s;
	return ERR_OK;
}

void settings_destroy(struct settings *s)
{
	if (s == NULL) {
		return;
	}
	while (s->newest != NULL) {
		struct settings_snapshot *next = s->newest->next;
		free(s->newest);
		s->newest = next;
	}
	pthread_mutex_destroy(&s->listen_lock);
	pthread_mutex_destroy(&s->change_lock);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const struct config *settings_get(struct settings *s)
{
	pthread_mutex_lock(&s->lock);
	struct settings_snapshot *newest = s->newest;
	newest->users++;
	pthread_mutex_unlock(&s->lock);
	return &newest->config;
}

/* Frees the snapshots that nobody uses, but never the newest. The caller holds `lock`. */
static void free_unused(struct settings *s)
{
	struct settings_snapshot **link = &s->newest->next;
	while (*link != NULL) {
		struct settings_snapshot *old = *link;
		if (old->users > 0) {
			link = &old->next;
			continue;
		}
		*link = old->next;
		free(old);
	}
}

void settings_release(struct settings *s, const struct config *config)
{
	if (config == NULL) {
		return;
	}
	pthread_mutex_lock(&s->lock);
	for (struct settings_snapshot *each = s->newest; each != NULL; each = each->next) {
		if (&each->config == config) {
			each->users--;
		}
	}
	free_unused(s);
	pthread_mutex_unlock(&s->lock);
}

uint64_t settings_version(const struct settings *s)
{
	return atomic_load(&s->version);
}

bool settings_listen(struct settings *s, void (*fn)(void *arg), void *arg)
{
	bool done = false;
	pthread_mutex_lock(&s->listen_lock);
	for (int i = 0; !done && i < SETTINGS_LISTENERS_MAX; i++) {
		if (s->listener[i].fn == NULL) {
			s->listener[i].fn = fn;
			s->listener[i].arg = arg;
			done = true;
		}
	}
	pthread_mutex_unlock(&s->listen_lock);
	return done;
}

void settings_unlisten(struct settings *s, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&s->listen_lock);
	for (int i = 0; i < SETTINGS_LISTENERS_MAX; i++) {
		if (s->listener[i].fn == fn && s->listener[i].arg == arg) {
			s->listener[i].fn = NULL;
		}
	}
	pthread_mutex_unlock(&s->listen_lock);
}

static void tell_listeners(struct settings *s)
{
	pthread_mutex_lock(&s->listen_lock);
	for (int i = 0; i < SETTINGS_LISTENERS_MAX; i++) {
		if (s->listener[i].fn != NULL) {
			s->listener[i].fn(s->listener[i].arg);
		}
	}
	pthread_mutex_unlock(&s->listen_lock);
}

/* ---- From records to a snapshot; with change_lock held ---- */

static bool is_for(const struct settings_record *r, const struct config_option *option, int number)
{
	return r->option == option && r->number == number;
}

const struct settings_record *settings_standing(const struct settings *s, const struct config_option *option,
	int number)
{
	for (size_t i = s->count; i > 0; i--) {
		const struct settings_record *r = &s->record[i - 1];
		if (is_for(r, option, number) && !r->undone && !r->unfit) {
			return r;
		}
	}
	return NULL;
}

static bool is_standing(const struct settings *s, const struct settings_record *r)
{
	return settings_standing(s, r->option, r->number) == r;
}

/* Refuses a value for a device that is not configured. */
static enum err_code check_present(const struct config *config, const struct settings_record *r, struct err *err)
{
	int row = config_section_row(r->option->section);
	if (row == CONFIG_SECTION_FOCUSER && !config->focuser[r->number].present) {
		return err_set(err, ERR_INVALID_VALUE, "there is no [focuser.%d]", r->number);
	}
	if (row == CONFIG_SECTION_CAMERA && !config->camera[r->number].present) {
		return err_set(err, ERR_INVALID_VALUE, "there is no [camera.%d]", r->number);
	}
	return ERR_OK;
}

static enum err_code apply(struct config *config, const struct settings_record *r, struct err *err)
{
	enum err_code code = check_present(config, r, err);
	if (code == ERR_OK) {
		code = config_option_parse(config, r->option, r->number, r->value, true, err);
	}
	return code;
}

/* Builds the base with all standing records and checks it as a whole. */
static enum err_code build(const struct settings *s, struct config *out, struct err *err)
{
	*out = s->base;
	out->version = atomic_load(&s->version) + 1;
	for (size_t i = 0; i < s->count; i++) {
		enum err_code code = is_standing(s, &s->record[i]) ? apply(out, &s->record[i], err) : ERR_OK;
		if (code != ERR_OK) {
			return code;
		}
	}
	return config_check_sentence(out, s->options.drivers, err);
}

/* Makes a new snapshot the newest. */
static void publish(struct settings *s, struct settings_snapshot *fresh)
{
	pthread_mutex_lock(&s->lock);
	fresh->next = s->newest;
	s->newest = fresh;
	free_unused(s);
	atomic_store(&s->version, fresh->config.version);
	pthread_mutex_unlock(&s->lock);
}

/* Builds and publishes what the records say. */
static enum err_code renew(struct settings *s, struct err *err)
{
	struct settings_snapshot *fresh = calloc(1, sizeof *fresh);
	if (fresh == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	enum err_code code = build(s, &fresh->config, err);
	if (code != ERR_OK) {
		free(fresh);
		return code;
	}
	publish(s, fresh);
	return ERR_OK;
}

static void keep(struct settings *s)
{
	if (s->options.keep == NULL) {
		return;
	}
	struct buf text;
	buf_init(&text, 1 << 20);
	settings_text_write(s, &text);
	if (text.failed) {
		log_error("settings", "out of memory: the last change is lost when the server ends");
	} else {
		s->options.keep(s->options.ctx, buf_text(&text));
	}
	buf_fini(&text);
}

/* ---- Changes ---- */

static enum err_code fill_record(const struct settings_wish *wish, const char *who, struct settings_record *out,
	struct err *err)
{
	memset(out, 0, sizeof *out);
	enum err_code code = settings_key_parse(wish->key, &out->option, &out->number, err);
	if (code != ERR_OK) {
		return code;
	}
	if (!out->option->live) {
		return err_set(err, ERR_INVALID_OPERATION,
			"%s is read once, when the server starts: change it in the configuration file and start again",
			wish->key);
	}
	if (strlen(wish->value) >= sizeof out->value) {
		return err_set(err, ERR_INVALID_VALUE, "%s may have at most %zu bytes", out->option->name,
			sizeof out->value - 1);
	}
	snprintf(out->value, sizeof out->value, "%s", wish->value);
	text_copy_clean(out->who, sizeof out->who, who);
	clock_utc_text(clock_utc_ms(), out->when);
	return ERR_OK;
}

/* The number of the one change that set all of these values already; 0 when there is none. */
static uint64_t stands_by(const struct settings *s, const struct settings_record *wanted, size_t count)
{
	uint64_t change = 0;
	for (size_t i = 0; i < count; i++) {
		const struct settings_record *r = settings_standing(s, wanted[i].option, wanted[i].number);
		if (r == NULL || strcmp(r->value, wanted[i].value) != 0 || (change != 0 && r->change != change)) {
			return 0;
		}
		change = r->change;
	}
	return change;
}

/* Forgets the oldest records that no value comes from, until `more` find room. There are always enough of them, since
 * fewer settings can change than half the room. */
static void make_room(struct settings *s, size_t more)
{
	for (size_t i = 0; s->count + more > SETTINGS_KEPT_MAX && i < s->count;) {
		if (is_standing(s, &s->record[i])) {
			i++;
			continue;
		}
		memmove(&s->record[i], &s->record[i + 1], (s->count - i - 1) * sizeof s->record[0]);
		s->count--;
	}
}

/* Takes over all of the records or none. The caller holds change_lock. */
static enum err_code add_change(struct settings *s, struct settings_record *wanted, size_t count, struct err *err)
{
	make_room(s, count);
	if (s->count + count > SETTINGS_KEPT_MAX) {
		return err_set(err, ERR_INTERNAL, "too many settings have been changed");
	}
	for (size_t i = 0; i < count; i++) {
		wanted[i].change = s->last_change + 1;
		s->record[s->count + i] = wanted[i];
	}
	s->count += count;
	enum err_code code = renew(s, err);
	if (code != ERR_OK) {
		s->count -= count;
		return code;
	}
	s->last_change++;
	for (size_t i = 0; i < count; i++) {
		char key[64];
		settings_key_print(wanted[i].option, wanted[i].number, key, sizeof key);
		log_info("settings", "%s is %s, changed by %s (change %llu)", key, wanted[i].value, wanted[i].who,
			(unsigned long long)s->last_change);
	}
	keep(s);
	return ERR_OK;
}

enum err_code settings_change(struct settings *s, const struct settings_wish *wishes, size_t count, const char *who,
	uint64_t *change, struct err *err)
{
	if (count < 1 || count > SETTINGS_TOGETHER_MAX) {
		return err_set(err, ERR_INVALID_VALUE, "1 to %d settings can be changed together, not %zu",
			SETTINGS_TOGETHER_MAX, count);
	}
	struct settings_record *wanted = calloc(count, sizeof *wanted);
	if (wanted == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	enum err_code code = ERR_OK;
	for (size_t i = 0; code == ERR_OK && i < count; i++) {
		code = fill_record(&wishes[i], who, &wanted[i], err);
		for (size_t k = 0; code == ERR_OK && k < i; k++) {
			if (is_for(&wanted[k], wanted[i].option, wanted[i].number)) {
				code = err_set(err, ERR_INVALID_VALUE, "%s is given twice", wishes[i].key);
			}
		}
	}
	bool changed = false;
	pthread_mutex_lock(&s->change_lock);
	uint64_t number = code == ERR_OK ? stands_by(s, wanted, count) : 0;
	if (code == ERR_OK && number == 0) {
		code = add_change(s, wanted, count, err);
		number = s->last_change;
		changed = code == ERR_OK;
	}
	pthread_mutex_unlock(&s->change_lock);
	free(wanted);
	if (changed) {
		tell_listeners(s);
	}
	if (code == ERR_OK && change != NULL) {
		*change = number;
	}
	return code;
}

enum err_code settings_set(struct settings *s, const char *key, const char *value, const char *who, uint64_t *change,
	struct err *err)
{
	return settings_change(s, &(struct settings_wish){.key = key, .value = value}, 1, who, change, err);
}

/* Undoes all or none of the records for which `chosen` holds and that are not undone yet; *changed says whether there
 * were any. The caller holds change_lock. */
static enum err_code undo_records(struct settings *s, bool (*chosen)(const struct settings_record *r, const void *arg),
	const void *arg, bool *changed, struct err *err)
{
	bool now[SETTINGS_KEPT_MAX] = {false};
	*changed = false;
	for (size_t i = 0; i < s->count; i++) {
		now[i] = chosen(&s->record[i], arg) && !s->record[i].undone;
		s->record[i].undone |= now[i];
		*changed |= now[i];
	}
	enum err_code code = *changed ? renew(s, err) : ERR_OK;
	for (size_t i = 0; code != ERR_OK && i < s->count; i++) {
		s->record[i].undone &= !now[i];
	}
	*changed &= code == ERR_OK;
	if (*changed) {
		keep(s);
	}
	return code;
}

static bool is_of_change(const struct settings_record *r, const void *arg)
{
	const uint64_t *change = arg;
	return r->change == *change;
}

enum err_code settings_undo(struct settings *s, uint64_t change, struct err *err)
{
	bool changed = false;
	bool found = false;
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&s->change_lock);
	for (size_t i = 0; i < s->count; i++) {
		found |= s->record[i].change == change;
	}
	if (change == 0 || change > s->last_change) {
		code = err_set(err, ERR_INVALID_VALUE, "there was no change %llu", (unsigned long long)change);
	} else if (!found) {
		code = err_set(err, ERR_INVALID_VALUE, "change %llu is not remembered any more",
			(unsigned long long)change);
	} else {
		code = undo_records(s, is_of_change, &change, &changed, err);
	}
	pthread_mutex_unlock(&s->change_lock);
	if (changed) {
		log_info("settings", "change %llu is undone", (unsigned long long)change);
		tell_listeners(s);
	}
	return code;
}

static bool is_same_setting(const struct settings_record *r, const void *arg)
{
	const struct settings_record *wanted = arg;
	return is_for(r, wanted->option, wanted->number);
}

enum err_code settings_forget(struct settings *s, const char *key, struct err *err)
{
	struct settings_record wanted = {.change = 0};
	enum err_code code = settings_key_parse(key, &wanted.option, &wanted.number, err);
	if (code != ERR_OK) {
		return code;
	}
	bool changed = false;
	pthread_mutex_lock(&s->change_lock);
	code = undo_records(s, is_same_setting, &wanted, &changed, err);
	pthread_mutex_unlock(&s->change_lock);
	if (changed) {
		log_info("settings", "all changes of %s are undone", key);
		tell_listeners(s);
	}
	return code;
}

/* ---- The start ---- */

/* When the files have changed so that the records do not go with them all together, each change, oldest first, counts
 * if it goes with those before it. */
static void sort_out_unfit(struct settings *s, struct config *scratch)
{
	struct err err;
	for (size_t i = 0; i < s->count; i++) {
		s->record[i].unfit = true;
	}
	for (size_t from = 0, to = 0; from < s->count; from = to) {
		while (to < s->count && s->record[to].change == s->record[from].change) {
			s->record[to++].unfit = false;
		}
		bool counts = build(s, scratch, &err) == ERR_OK;
		for (size_t i = from; !counts && i < to; i++) {
			s->record[i].unfit = true;
			if (!s->record[i].undone) {
				char key[64];
				settings_key_print(s->record[i].option, s->record[i].number, key, sizeof key);
				log_warn("settings", "%s = %s (change %llu) does not count: %s", key,
					s->record[i].value, (unsigned long long)s->record[i].change, err.text);
			}
		}
	}
}

enum err_code settings_load(struct settings *s, struct span text, struct err *err)
{
	struct settings_snapshot *fresh = calloc(1, sizeof *fresh);
	if (fresh == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	pthread_mutex_lock(&s->change_lock);
	enum err_code code = settings_text_read(s, text, err);
	if (code != ERR_OK) {
		s->count = 0;
		s->last_change = 0;
	} else if (build(s, &fresh->config, NULL) == ERR_INVALID_VALUE) {
		sort_out_unfit(s, &fresh->config);
	}
	if (code == ERR_OK) {
		code = build(s, &fresh->config, err);
	}
	if (code == ERR_OK) {
		publish(s, fresh);
	} else {
		free(fresh);
	}
	pthread_mutex_unlock(&s->change_lock);
	return code;
}
