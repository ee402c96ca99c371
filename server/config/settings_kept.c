/* SPDX-License-Identifier: MIT */
/*
 * The text in which changes are kept, values that stand or are covered apart from those that were undone:
 *   {"last": 2, "changes": {"2": {"when": "2026-11-28T14:05:31.250Z", "who": "NAME",
 *                                 "values": {"focuser.0.backlash_steps": "120"}, "undone": {}}}}
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "plain_file.h"
#include "settings_private.h"

/* Numbers of changes are read through a double, which is exact for whole numbers up to 2^53. */
#define CHANGE_MAX 9007199254740992.0
/* Most bytes that are read; ours are at most SETTINGS_KEPT_MAX records of under 500 bytes. */
#define TEXT_MAX (1 << 20)

static void write_values(struct json_writer *w, const char *name, const struct settings_record *r, size_t count,
	bool undone)
{
	json_key(w, name);
	json_object(w);
	for (size_t i = 0; i < count; i++) {
		if (r[i].undone == undone) {
			char key[64];
			settings_key_print(r[i].option, r[i].number, key, sizeof key);
			json_key_string(w, key, r[i].value);
		}
	}
	json_end_object(w);
}

void settings_text_write(const struct settings *s, struct buf *out)
{
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_int(&w, "last", (int64_t)s->last_change);
	json_key(&w, "changes");
	json_object(&w);
	for (size_t from = 0, to = 0; from < s->count; from = to) {
		const struct settings_record *r = &s->record[from];
		while (to < s->count && s->record[to].change == r->change) {
			to++;
		}
		char number[32];
		snprintf(number, sizeof number, "%llu", (unsigned long long)r->change);
		json_key(&w, number);
		json_object(&w);
		json_key_string(&w, "when", r->when);
		json_key_string(&w, "who", r->who);
		write_values(&w, "values", r, to - from, false);
		write_values(&w, "undone", r, to - from, true);
		json_end_object(&w);
	}
	json_end_object(&w);
	json_end_object(&w);
	buf_putc(out, '\n');
}

static enum err_code damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID_VALUE, "%s is damaged: %s", SETTINGS_FILE, what);
}

/* Reads the values of one change, either those that stand or those that were undone; `like` holds what its records have
 * in common. */
static enum err_code read_values(struct settings *s, const struct json *values, const struct settings_record *like,
	struct err *err)
{
	const char *key, *text;
	const struct json *value;
	if (values == NULL || !json_is_object(values)) {
		return damaged(err, "a change has no values");
	}
	for (int i = 0; json_member(values, i, &key, &value); i++) {
		struct settings_record r = *like;
		struct err why;
		if (!json_as_string(value, &text) || strlen(text) >= sizeof r.value) {
			return damaged(err, "a value is no text");
		}
		if (settings_key_parse(key, &r.option, &r.number, &why) != ERR_OK) {
			/* Another version of the program may have had settings that this one does not know. */
			log_warn("settings", "change %llu is left out: %s", (unsigned long long)r.change, why.text);
			continue;
		}
		if (!r.option->live) {
			log_warn("settings", "change %llu is left out: %s is read from the files alone",
				(unsigned long long)r.change, key);
			continue;
		}
		if (s->count >= SETTINGS_KEPT_MAX) {
			return damaged(err, "it has more changes than are ever kept");
		}
		snprintf(r.value, sizeof r.value, "%s", text);
		s->record[s->count++] = r;
	}
	return ERR_OK;
}

/* Reads one member of "changes". The numbers must grow, because a change covers those with smaller numbers. */
static enum err_code read_change(struct settings *s, const char *name, const struct json *change, struct err *err)
{
	struct settings_record like = {.undone = false};
	double number;
	const char *when, *who;
	const struct json *said_when = json_get(change, "when"), *said_who = json_get(change, "who");
	if (!json_is_object(change) || !text_parse_double(span_of(name), &number) ||
		!(number >= 1 && number <= CHANGE_MAX)) {
		return damaged(err, "a change has no number");
	}
	like.change = (uint64_t)number;
	if ((s->count > 0 && s->record[s->count - 1].change >= like.change) || like.change > s->last_change) {
		return damaged(err, "the numbers of its changes are out of order");
	}
	if (said_when == NULL || !json_as_string(said_when, &when) || said_who == NULL ||
		!json_as_string(said_who, &who)) {
		return damaged(err, "a change does not say when and by whom");
	}
	text_copy_clean(like.when, sizeof like.when, when);
	text_copy_clean(like.who, sizeof like.who, who);
	enum err_code code = read_values(s, json_get(change, "values"), &like, err);
	like.undone = true;
	return code == ERR_OK ? read_values(s, json_get(change, "undone"), &like, err) : code;
}

static enum err_code read_changes(struct settings *s, const struct json *whole, struct err *err)
{
	double last;
	const struct json *said_last = json_get(whole, "last"), *changes = json_get(whole, "changes");
	if (said_last == NULL || !json_as_double(said_last, &last) || !(last >= 0 && last <= CHANGE_MAX)) {
		return damaged(err, "it does not say the number of the last change");
	}
	if (changes == NULL || !json_is_object(changes)) {
		return damaged(err, "it has no changes");
	}
	s->last_change = (uint64_t)last;
	const char *name;
	const struct json *change;
	for (int i = 0; json_member(changes, i, &name, &change); i++) {
		enum err_code code = read_change(s, name, change, err);
		if (code != ERR_OK) {
			return code;
		}
	}
	return ERR_OK;
}

enum err_code settings_text_read(struct settings *s, struct span text, struct err *err)
{
	struct err why;
	struct json *whole = json_parse(text, &why);
	if (whole == NULL) {
		return damaged(err, why.text);
	}
	enum err_code code = json_is_object(whole) ? read_changes(s, whole, err) : damaged(err, "it is no JSON object");
	json_free(whole);
	return code;
}

void settings_load_file(struct settings *s, const char *path)
{
	struct buf text;
	struct err err;
	buf_init(&text, TEXT_MAX);
	enum err_code code = ERR_OK;
	bool there = plain_file_read(path, &text);
	if (!there && errno != ENOENT) {
		code = err_set(&err, ERR_IO, "%.150s cannot be read: %s", path, plain_file_reason(errno));
	} else if (there && text.len == 0) {
		code = err_set(&err, ERR_IO, "%.150s is damaged: it is empty", path);
	} else if (there) {
		code = settings_load(s, (struct span){text.data, text.len}, &err);
	}
	buf_fini(&text);
	if (code == ERR_OK) {
		return;
	}
	char aside[1100];
	snprintf(aside, sizeof aside, "%.1080s.damaged", path);
	bool moved = rename(path, aside) == 0;
	log_warn("settings", "%s; what was changed while the server ran does not count%s%s", err.text,
		moved ? ", the file is now " : "", moved ? aside : "");
}
