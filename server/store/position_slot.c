/* SPDX-License-Identifier: MIT */
/* One slot of a position journal as text; position_journal.h describes the format. Pure. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "json.h"
#include "position_journal.h"
#include "text.h"

const char *focuser_trust_name(enum focuser_trust trust)
{
	switch (trust) {
	case POSITION_UNKNOWN:
		return "unknown";
	case POSITION_KNOWN:
		return "known";
	case POSITION_SHIFTED:
		break;
	}
	return "shifted";
}

#define FORMAT "focusd-position"
#define VERSION 1
/* The checksum begins after {"crc32":"0a1b2c3d", and covers the rest of the slot. */
#define SUMMED_FROM 20
#define PREFIX_SIZE (SUMMED_FROM + 1)

static void print_prefix(const char *slot, char out[PREFIX_SIZE])
{
	uLong sum = crc32(0, (const Bytef *)slot + SUMMED_FROM, POSITION_SLOT_SIZE - SUMMED_FROM);
	snprintf(out, PREFIX_SIZE, "{\"crc32\":\"%08lx\",", (unsigned long)sum & 0xFFFFFFFFul);
}

static void key_text(struct json_writer *w, const char *key, const char *text)
{
	json_key_string(w, key, text[0] != '\0' ? text : NULL);
}

static void print_members(const struct position_entry *e, struct buf *out)
{
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_string(&w, "crc32", "00000000");
	json_key_string(&w, "format", FORMAT);
	json_key_int(&w, "version", VERSION);
	json_key_int(&w, "sequence", (int64_t)e->sequence);
	json_key_string(&w, "time", e->time);
	json_key_string(&w, "motion", e->moving ? "moving" : "rest");
	json_key_int(&w, "position", e->position);
	json_key_int(&w, "from", e->from);
	json_key_int(&w, "target", e->target);
	json_key_int(&w, "low", e->low);
	json_key_int(&w, "high", e->high);
	json_key_string(&w, "trust", focuser_trust_name(e->trust));
	if (e->offset_known) {
		json_key_int(&w, "offset", e->offset);
	} else {
		json_key_null(&w, "offset");
	}
	if (e->span_known) {
		json_key_int(&w, "span_low", e->span_low);
		json_key_int(&w, "span_high", e->span_high);
	}
	key_text(&w, "why", e->why);
	json_key_bool(&w, "reverse", e->numbering.reversed);
	json_key_int(&w, "max_step", e->max_step);
	json_key_int(&w, "mirror", e->numbering.high);
	if (!e->before_shift) {
		json_key_int(&w, "lowest", e->numbering.low);
		json_key_bool(&w, "calibrated", e->numbering.calibrated);
	}
	if (e->old_min_step != 0) {
		json_key_int(&w, "old_min_step", e->old_min_step);
	}
	if (e->old_max_step != 0) {
		json_key_int(&w, "old_max_step", e->old_max_step);
	}
	json_key_string(&w, "driver", e->driver);
	json_key_string(&w, "device", e->device);
	json_key_string(&w, "port", e->port);
	key_text(&w, "port_serial", e->port_serial);
	json_end_object(&w);
}

bool position_slot_print(const struct position_entry *entry, char *slot)
{
	struct buf text;
	buf_init(&text, POSITION_SLOT_SIZE - 1);
	print_members(entry, &text);
	bool good = !text.failed;
	if (good) {
		memset(slot, ' ', POSITION_SLOT_SIZE);
		memcpy(slot, text.data, text.len);
		slot[POSITION_SLOT_SIZE - 1] = '\n';
		char prefix[PREFIX_SIZE];
		print_prefix(slot, prefix);
		memcpy(slot, prefix, SUMMED_FROM);
	}
	buf_fini(&text);
	return good;
}

static bool take_text(const struct json *json, const char *name, char *out, size_t cap)
{
	const struct json *value = json_get(json, name);
	const char *text = "";
	if (value == NULL || (!json_is_null(value) && !json_as_string(value, &text)) || strlen(text) >= cap) {
		return false;
	}
	snprintf(out, cap, "%s", text);
	return true;
}

static bool take_steps(const struct json *json, const char *name, int32_t *out)
{
	const struct json *value = json_get(json, name);
	return value != NULL && json_as_i32(value, out);
}

static bool take_one_of(const struct json *json, const char *name, const char *const *words, int count,
	int *out)
{
	char text[16];
	if (!take_text(json, name, text, sizeof text)) {
		return false;
	}
	for (int i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* Takes the numbering of an entry; the two members that 0.1.0 did not write may be missing together. */
static bool take_numbering(const struct json *json, struct position_entry *e)
{
	const struct json *reverse = json_get(json, "reverse");
	const struct json *calibrated = json_get(json, "calibrated");
	e->before_shift = calibrated == NULL && json_get(json, "lowest") == NULL;
	if ((json_get(json, "old_min_step") != NULL && !take_steps(json, "old_min_step", &e->old_min_step)) ||
		(json_get(json, "old_max_step") != NULL && !take_steps(json, "old_max_step", &e->old_max_step))) {
		return false;
	}
	e->numbering.known = true;
	return reverse != NULL && json_as_bool(reverse, &e->numbering.reversed) &&
	       take_steps(json, "mirror", &e->numbering.high) &&
	       (e->before_shift || (take_steps(json, "lowest", &e->numbering.low) && calibrated != NULL &&
					   json_as_bool(calibrated, &e->numbering.calibrated)));
}

/* Takes how wrong the count can be; the two members are missing where that is not known. */
static bool take_span(const struct json *json, struct position_entry *e)
{
	e->span_known = json_get(json, "span_low") != NULL || json_get(json, "span_high") != NULL;
	return !e->span_known || (take_steps(json, "span_low", &e->span_low) &&
					 take_steps(json, "span_high", &e->span_high) && e->span_low <= e->span_high);
}

static bool take_members(const struct json *json, struct position_entry *e)
{
	static const char *const motions[] = {"rest", "moving"};
	const char *const trusts[] = {focuser_trust_name(POSITION_UNKNOWN),
		focuser_trust_name(POSITION_KNOWN), focuser_trust_name(POSITION_SHIFTED)};
	char format[24];
	int32_t version;
	double sequence;
	int moving;
	int trust;
	const struct json *offset = json_get(json, "offset");
	const struct json *number = json_get(json, "sequence");
	if (!take_text(json, "format", format, sizeof format) || strcmp(format, FORMAT) != 0 ||
		!take_steps(json, "version", &version) || version != VERSION || number == NULL ||
		!json_as_double(number, &sequence) || !(sequence >= 1 && sequence <= 9e15) ||
		!take_text(json, "time", e->time, sizeof e->time) ||
		!take_one_of(json, "motion", motions, 2, &moving) ||
		!take_steps(json, "position", &e->position) || !take_steps(json, "from", &e->from) ||
		!take_steps(json, "target", &e->target) || !take_steps(json, "low", &e->low) ||
		!take_steps(json, "high", &e->high) || e->low > e->high ||
		!take_one_of(json, "trust", trusts, 3, &trust) || offset == NULL ||
		!take_text(json, "why", e->why, sizeof e->why) || !take_steps(json, "max_step", &e->max_step) ||
		!take_numbering(json, e) || !take_span(json, e) ||
		!take_text(json, "driver", e->driver, sizeof e->driver) ||
		!take_text(json, "device", e->device, sizeof e->device) ||
		!take_text(json, "port", e->port, sizeof e->port) ||
		!take_text(json, "port_serial", e->port_serial, sizeof e->port_serial)) {
		return false;
	}
	e->sequence = (uint64_t)sequence;
	e->moving = moving == 1;
	e->trust = (enum focuser_trust)trust;
	e->offset_known = !json_is_null(offset);
	return !e->offset_known || json_as_i32(offset, &e->offset);
}

bool position_slot_parse(const char *slot, struct position_entry *out)
{
	char prefix[PREFIX_SIZE];
	print_prefix(slot, prefix);
	if (memcmp(slot, prefix, SUMMED_FROM) != 0) {
		return false;
	}
	struct json *json = json_parse((struct span){slot, POSITION_SLOT_SIZE}, NULL);
	struct position_entry e = {0};
	bool good = json != NULL && json_is_object(json) && take_members(json, &e);
	json_free(json);
	if (good) {
		*out = e;
	}
	return good;
}
