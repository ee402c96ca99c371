/* SPDX-License-Identifier: MIT */
/* Turns text into the field of an option by the option's row of the table, and the field back into text. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config_private.h"

static void *field_of(struct config *config, const struct config_option *option, int number)
{
	int row = config_section_row(option->section);
	size_t stride = row < 0 ? 0 : config_sections[row].stride;
	return (char *)config + option->offset + stride * (size_t)number;
}

static bool parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"yes", "true", "on"};
	static const char *const no[] = {"no", "false", "off"};
	for (size_t i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*out = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* Stores an integer in a field of four bytes (int, int32_t, an enum) or of one byte (bool). */
static void store_int(void *field, size_t size, int32_t value)
{
	if (size == sizeof(bool)) {
		bool flag = value != 0;
		memcpy(field, &flag, sizeof flag);
	} else {
		memcpy(field, &value, sizeof value);
	}
}

static enum err_code bounds_error(const struct config_option *o, const char *text, struct err *err)
{
	char low[32], high[32];
	text_print_double(low, o->low);
	text_print_double(high, o->high);
	char note[40] = "";
	if (o->note != NULL) {
		snprintf(note, sizeof note, " (%s)", o->note);
	}
	return err_set(err, ERR_INVALID_VALUE, "%s must be %s to %s%s, not %.40s", o->name, low,
		high, note, text);
}

const char *config_value_hint(const char *text)
{
	size_t len = strlen(text);
	if (len > 0 && (text[0] == '"' || text[0] == '\'')) {
		return " (it is written without quotes)";
	}
	/* Many people put a comment with '#' behind a value, but inih takes '#' for a comment only at the start of a
	 * line. */
	if (strchr(text, '#') != NULL) {
		return " (a comment behind a value begins with ' ;')";
	}
	return "";
}

/* The same for numbers. */
static const char *number_hint(const struct config_option *o, const char *text)
{
	const char *hint = config_value_hint(text);
	if (hint[0] != '\0') {
		return hint;
	}
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		return " (it is written in decimal)";
	}
	const char *rest = text + strspn(text, "+-0123456789.");
	const char *word = rest + strspn(rest, " ");
	if (rest > text && *rest != '\0' && text[strspn(text, "0123456789 ,'")] == '\0') {
		return o->type == CONFIG_INT ? " (digits are not grouped)" : "";
	}
	if (rest > text && isalpha((unsigned char)*word) && o->unit[0] != '\0') {
		return " (the unit is not written)";
	}
	return "";
}

static enum err_code set_text(
	const struct config_option *o, const char *text, char *field, struct err *err)
{
	size_t len = strlen(text);
	if (!text_is_utf8((struct span){text, len})) {
		return err_set(err, ERR_INVALID_VALUE, "%s is not UTF-8 text", o->name);
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
			return err_set(
				err, ERR_INVALID_VALUE, "%s contains control characters", o->name);
		}
	}
	if (len >= o->size) {
		return err_set(err, ERR_INVALID_VALUE, "%s may have at most %zu bytes, not %zu",
			o->name, o->size - 1, len);
	}
	memcpy(field, text, len + 1);
	return ERR_OK;
}

static enum err_code set_choice(
	const struct config_option *o, const char *text, void *field, bool checked, struct err *err)
{
	if (!checked && strcmp(text, "unset") == 0) {
		store_int(field, o->size, CONFIG_UNSET);
		return ERR_OK;
	}
	char list[120] = "";
	size_t n = 0;
	for (int32_t i = 0; o->choices[i] != NULL; i++) {
		if (strcmp(text, o->choices[i]) == 0) {
			store_int(field, o->size, i);
			return ERR_OK;
		}
		const char *joint = i == 0 ? "" : o->choices[i + 1] == NULL ? " or " : ", ";
		int more = snprintf(list + n, sizeof list - n, "%s%s", joint, o->choices[i]);
		n += more > 0 && (size_t)more < sizeof list - n ? (size_t)more : 0;
	}
	return err_set(err, ERR_INVALID_VALUE, "%s must be %s, not '%.40s'%s", o->name, list, text,
		config_value_hint(text));
}

static enum err_code set_temperature(
	const char *text, struct config_focuser *focuser, struct err *err)
{
	static const struct {
		const char *name;
		enum config_temperature_source source;
	} plain[] = {
		{"self", CONFIG_TEMPERATURE_SELF},
		{"action", CONFIG_TEMPERATURE_ACTION},
		{"none", CONFIG_TEMPERATURE_NONE},
	};
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		if (strcmp(text, plain[i].name) == 0) {
			focuser->temperature_source = plain[i].source;
			return ERR_OK;
		}
	}
	if (strncmp(text, "focuser.", 8) == 0) {
		uint32_t number;
		if (text_parse_u32(span_of(text + 8), &number) && number < CONFIG_MAX_DEVICES) {
			focuser->temperature_source = CONFIG_TEMPERATURE_FOCUSER;
			focuser->temperature_focuser = (int)number;
			return ERR_OK;
		}
	}
	return err_set(err, ERR_INVALID_VALUE,
		"temperature_source must be self, focuser.0 to focuser.%d, action or none, not "
		"'%.40s'%s",
		CONFIG_MAX_DEVICES - 1, text, config_value_hint(text));
}

static enum err_code set_int(const struct config_option *o, const char *text, void *field, bool checked,
	struct err *err)
{
	int32_t value;
	if (!text_parse_i32(span_of(text), &value)) {
		double real;
		if (text_parse_double(span_of(text), &real) &&
			(real < o->low || real > o->high)) {
			return bounds_error(o, text, err);
		}
		return err_set(err, ERR_INVALID_VALUE,
			"%s must be a whole number, not '%.40s'%s", o->name, text,
			number_hint(o, text));
	}
	if (checked && (value < o->low || value > o->high)) {
		return bounds_error(o, text, err);
	}
	store_int(field, o->size, value);
	return ERR_OK;
}

static enum err_code set_double(const struct config_option *o, const char *text, void *field, bool checked,
	struct err *err)
{
	double value = NAN;
	if (checked || strcmp(text, "nan") != 0) {
		if (!text_parse_double(span_of(text), &value)) {
			return err_set(err, ERR_INVALID_VALUE,
				"%s must be a number with a decimal point, not '%.40s'%s",
				o->name, text, number_hint(o, text));
		}
		if (checked && !(value >= o->low && value <= o->high)) {
			return bounds_error(o, text, err);
		}
	}
	memcpy(field, &value, sizeof value);
	return ERR_OK;
}

enum err_code config_option_parse(struct config *config, const struct config_option *o, int number,
	const char *text, bool checked, struct err *err)
{
	void *field = field_of(config, o, number);
	if (text[0] == '\0' && o->type != CONFIG_TEXT) {
		return err_set(err, ERR_INVALID_VALUE,
			"%s has no value; leave the line out for the default", o->name);
	}
	switch (o->type) {
	case CONFIG_TEXT:
		return set_text(o, text, field, err);
	case CONFIG_CHOICE:
		return set_choice(o, text, field, checked, err);
	case CONFIG_TEMPERATURE:
		return set_temperature(text, &config->focuser[number], err);
	case CONFIG_BOOL: {
		bool value;
		if (!parse_bool(text, &value)) {
			return err_set(err, ERR_INVALID_VALUE,
				"%s must be yes or no, not '%.40s'%s", o->name, text,
				config_value_hint(text));
		}
		memcpy(field, &value, sizeof value);
		return ERR_OK;
	}
	case CONFIG_INT:
		return set_int(o, text, field, checked, err);
	case CONFIG_DOUBLE:
		return set_double(o, text, field, checked, err);
	}
	return ERR_INTERNAL;
}

/* Prints the shortest text that is read back as the same value. */
static void print_number(const struct config_option *o, const void *field, char *out, size_t cap)
{
	int32_t whole = 0;
	double real = NAN;
	if (o->type == CONFIG_DOUBLE) {
		memcpy(&real, field, sizeof real);
	} else {
		memcpy(&whole, field, sizeof whole);
		real = whole;
	}
	char text[32] = "";
	/* Only an initial value can be outside the bounds, and it means "unknown". */
	if (real >= o->low && real <= o->high) {
		if (o->type == CONFIG_DOUBLE) {
			text_print_double(text, real);
		} else {
			snprintf(text, sizeof text, "%d", (int)whole);
		}
	}
	snprintf(out, cap, "%s", text);
}

static void print_temperature(const struct config_focuser *focuser, char *out, size_t cap)
{
	switch (focuser->temperature_source) {
	case CONFIG_TEMPERATURE_SELF:
		snprintf(out, cap, "self");
		break;
	case CONFIG_TEMPERATURE_ACTION:
		snprintf(out, cap, "action");
		break;
	case CONFIG_TEMPERATURE_NONE:
		snprintf(out, cap, "none");
		break;
	case CONFIG_TEMPERATURE_FOCUSER:
		snprintf(out, cap, "focuser.%d", focuser->temperature_focuser);
		break;
	}
}

/* Reads a choice or a yes-or-no, which is kept in one byte (bool) or four (an enum). */
static int32_t load_int(const void *field, size_t size)
{
	int32_t value = 0;
	if (size == sizeof(bool)) {
		bool flag;
		memcpy(&flag, field, sizeof flag);
		value = flag ? 1 : 0;
	} else {
		memcpy(&value, field, sizeof value);
	}
	return value;
}

void config_option_print(const struct config *config, const struct config_option *o, int number, char *out, size_t cap)
{
	int row = config_section_row(o->section);
	size_t stride = row < 0 ? 0 : config_sections[row].stride;
	const char *field = (const char *)config + o->offset + stride * (size_t)number;
	int32_t value;
	switch (o->type) {
	case CONFIG_TEXT:
		snprintf(out, cap, "%s", field);
		break;
	case CONFIG_CHOICE:
		value = load_int(field, o->size);
		snprintf(out, cap, "%s", value < 0 ? "" : o->choices[value]);
		break;
	case CONFIG_BOOL:
		snprintf(out, cap, "%s", load_int(field, o->size) != 0 ? "yes" : "no");
		break;
	case CONFIG_INT:
	case CONFIG_DOUBLE:
		print_number(o, field, out, cap);
		break;
	case CONFIG_TEMPERATURE:
		print_temperature(&config->focuser[number], out, cap);
		break;
	}
}
