/* SPDX-License-Identifier: MIT */
/*
 * Reads the configuration: INI files through inih, line by line, against the table in
 * config_table.c. inih tells neither line numbers nor more than one error, splits long lines and
 * takes an indented key for a continuation, so the reader below counts, looks at and if need be
 * withholds each line first.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* inih's own line buffer holds 200 bytes with line end and NUL. */
#define MAX_LINE 197

static const struct {
	const char *name; /* as in the table */
	bool numbered;
	size_t stride; /* from one to the next of a numbered section */
} sections[] = {
	{"server", false, 0},
	{"focuser.N", true, sizeof(struct config_focuser)},
	{"camera.N", true, sizeof(struct config_camera)},
	{"telescope.N", true, sizeof(struct optics_config)},
	{"autofocus", false, 0},
	{"simulator", false, 0},
};
enum { SECTION_FOCUSER = 1, SECTION_CAMERA = 2, SECTION_TELESCOPE = 3 };
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

/* One file being read. */
struct reading {
	struct config *config;
	struct buf *errors;
	const char *name;
	int file; /* its index in config->places */
	FILE *stream;
	int line;
	int section;      /* row of sections, -1 before the first or after an unknown one */
	int number;       /* N of a numbered section */
	bool any_section; /* a [section] line was seen, known or not */
};

static void complain(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct reading *r, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* What is quoted may be any bytes, or be cut inside a character. */
	char clean[sizeof text];
	text_copy_clean(clean, sizeof clean, text);
	buf_printf(r->errors, "%s:%d: %s\n", r->name, r->line, clean);
}

static void *field_of(struct config *config, const struct config_option *option, int number)
{
	size_t stride = 0;
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (strcmp(sections[i].name, option->section) == 0) {
			stride = sections[i].stride;
		}
	}
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

/* Stores an integer in a field of four bytes (int, int32_t, an enum) or one (bool). */
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

/* People put comments behind values with '#', which inih only knows at the start of a line. */
static const char *comment_hint(const char *text)
{
	return strchr(text, '#') != NULL ? " (a comment behind a value begins with ' ;')" : "";
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
	const struct config_option *o, const char *text, void *field, struct err *err)
{
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
		comment_hint(text));
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
		CONFIG_MAX_DEVICES - 1, text, comment_hint(text));
}

/* Parses text into the option's field; checked says whether bounds count (they do not for initial
 * values, which may mean "unknown"). */
static enum err_code set_option(struct config *config, const struct config_option *o, int number,
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
		return set_choice(o, text, field, err);
	case CONFIG_TEMPERATURE:
		return set_temperature(text, &config->focuser[number], err);
	case CONFIG_BOOL: {
		bool value;
		if (!parse_bool(text, &value)) {
			return err_set(err, ERR_INVALID_VALUE,
				"%s must be yes or no, not '%.40s'%s", o->name, text,
				comment_hint(text));
		}
		memcpy(field, &value, sizeof value);
		return ERR_OK;
	}
	case CONFIG_INT: {
		int32_t value;
		if (!text_parse_i32(span_of(text), &value)) {
			double real;
			if (text_parse_double(span_of(text), &real) &&
				(real < o->low || real > o->high)) {
				return bounds_error(o, text, err);
			}
			return err_set(err, ERR_INVALID_VALUE,
				"%s must be a whole number, not '%.40s'%s", o->name, text,
				comment_hint(text));
		}
		if (checked && (value < o->low || value > o->high)) {
			return bounds_error(o, text, err);
		}
		store_int(field, o->size, value);
		return ERR_OK;
	}
	case CONFIG_DOUBLE: {
		double value = NAN;
		if (checked || strcmp(text, "nan") != 0) {
			if (!text_parse_double(span_of(text), &value)) {
				return err_set(err, ERR_INVALID_VALUE,
					"%s must be a number with a decimal point, not '%.40s'%s",
					o->name, text, comment_hint(text));
			}
			if (checked && !(value >= o->low && value <= o->high)) {
				return bounds_error(o, text, err);
			}
		}
		memcpy(field, &value, sizeof value);
		return ERR_OK;
	}
	}
	return ERR_INTERNAL;
}

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof *config);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		const char *text = o->initial != NULL ? o->initial : o->fallback;
		int count = strstr(o->section, ".N") != NULL ? CONFIG_MAX_DEVICES : 1;
		for (int n = 0; n < count; n++) {
			set_option(config, o, n, text, false, NULL);
		}
	}
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		config->focuser[n].camera = n;
	}
}

struct config_place config_place_of(const struct config *config, const char *section, const char *key,
	int number)
{
	struct config_place place = {0, 0};
	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(config_options[i].section, section) == 0 &&
			strcmp(config_options[i].name, key) == 0) {
			place = config->places.option[i][number];
		}
	}
	return place;
}

/* Edits (insert, delete, replace) from a to b, both short. */
static size_t distance(const char *a, const char *b)
{
	enum { LONGEST = 32 };
	size_t m = strlen(b);
	if (strlen(a) > LONGEST || m > LONGEST) {
		return LONGEST;
	}
	size_t row[LONGEST + 1];
	for (size_t j = 0; j <= m; j++) {
		row[j] = j;
	}
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[m];
}

static void unknown_key(struct reading *r, const char *key)
{
	const char *section = sections[r->section].name;
	const char *near = NULL;
	size_t least = 3;
	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(config_options[i].section, section) == 0 &&
			distance(key, config_options[i].name) < least) {
			least = distance(key, config_options[i].name);
			near = config_options[i].name;
		}
	}
	if (near != NULL) {
		complain(r, "[%s] has no key '%.40s'; did you mean '%s'?", section, key, near);
	} else {
		complain(r, "[%s] has no key '%.40s'", section, key);
	}
}

/* inih calls this for each key with its value, right after it took the line from read_line(). */
static int take_value(void *user, const char *section, const char *key, const char *value)
{
	(void)section; /* cut at 49 bytes by inih; read_line() keeps the whole */
	struct reading *r = user;
	if (r->section < 0) {
		if (!r->any_section) {
			complain(r, "'%.40s' stands before the first [section]", key);
		}
		return 1;
	}
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		if (strcmp(o->section, sections[r->section].name) != 0 ||
			strcmp(o->name, key) != 0) {
			continue;
		}
		struct config_place *place = &r->config->places.option[i][r->number];
		if (place->file == r->file) {
			complain(r, "%s is given twice; the first is in line %d", key, place->line);
			return 1;
		}
		*place = (struct config_place){.file = r->file, .line = r->line};
		struct err err;
		if (set_option(r->config, o, r->number, value, true, &err) != ERR_OK) {
			complain(r, "%s", err.text);
		}
		return 1;
	}
	unknown_key(r, key);
	return 1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

/* Whether nothing but blanks or a comment is left. */
static bool is_rest(const char *text)
{
	while (is_blank(*text)) {
		text++;
	}
	return *text == '\0' || *text == ';' || *text == '#';
}

/* A "[...]" line; text points behind the bracket. */
static bool take_section(struct reading *r, const char *text)
{
	r->any_section = true;
	r->section = -1;
	r->number = 0;
	size_t len = strcspn(text, "]");
	if (text[len] == '\0') {
		complain(r, "the section's ']' is missing");
		return false;
	}
	if (!is_rest(text + len + 1)) {
		complain(r, "there is text behind the section's ']'");
		return false;
	}
	struct span name = {text, len};
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (!sections[i].numbered) {
			if (span_equal(name, sections[i].name)) {
				r->section = (int)i;
			}
			continue;
		}
		size_t stem = strlen(sections[i].name) - 1; /* with the dot */
		if (len < stem || strncmp(text, sections[i].name, stem) != 0) {
			continue;
		}
		uint32_t number;
		if (len != stem + 1 ||
			!text_parse_u32((struct span){text + stem, len - stem}, &number) ||
			number >= CONFIG_MAX_DEVICES) {
			complain(r, "[%.*s] must have a number from 0 to %d behind the dot",
				(int)(len > 60 ? 60 : len), text, CONFIG_MAX_DEVICES - 1);
			return false;
		}
		r->section = (int)i;
		r->number = (int)number;
	}
	if (r->section < 0) {
		complain(r,
			"there is no section [%.*s]; there are server, focuser.N, camera.N, "
			"telescope.N, autofocus and simulator",
			(int)(len > 60 ? 60 : len), text);
		return false;
	}
	struct config_place *place = &r->config->places.section[r->section][r->number];
	if (place->file == 0) {
		*place = (struct config_place){.file = r->file, .line = r->line};
	}
	if (r->section == SECTION_FOCUSER) {
		r->config->focuser[r->number].present = true;
	} else if (r->section == SECTION_CAMERA) {
		r->config->camera[r->number].present = true;
	}
	return true;
}

/* Whether inih may see this line; complains when not. */
static bool check_line(struct reading *r, const char *line, size_t len)
{
	if (r->line == 1 && len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
		line += 3;
		len -= 3;
	}
	if (memchr(line, '\0', len) != NULL) {
		complain(r, "the line contains a NUL byte: this is no text file");
		return false;
	}
	if (is_rest(line)) {
		return false; /* nothing for inih in it */
	}
	if (len > MAX_LINE) {
		complain(r, "the line is longer than %d bytes", MAX_LINE);
		return false;
	}
	if (is_blank(line[0])) {
		complain(r,
			"the line begins with a blank; keys and sections begin at the left edge");
		return false;
	}
	if (line[0] == '[') {
		return take_section(r, line + 1);
	}
	/* inih ends the search for the separator at a comment, a ';' behind a blank. */
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '=' || line[i] == ':') {
			return true;
		}
		if (line[i] == ';' && i > 0 && is_blank(line[i - 1])) {
			break;
		}
	}
	complain(r, "this is neither 'key = value' nor '[section]'");
	return false;
}

/* The fgets() that inih reads through. */
static char *read_line(char *out, int cap, void *stream)
{
	struct reading *r = stream;
	char *line = NULL;
	size_t room = 0;
	ssize_t got = getline(&line, &room, r->stream);
	if (got < 0) {
		free(line);
		return NULL;
	}
	r->line++;
	size_t len = (size_t)got;
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) {
		len--;
	}
	line[len] = '\0';
	if (!check_line(r, line, len) || len + 2 > (size_t)cap) {
		len = 0;
	}
	memcpy(out, line, len);
	out[len] = '\n';
	out[len + 1] = '\0';
	free(line);
	return out;
}

static bool read_file(struct config *config, const char *path, struct buf *errors)
{
	struct config_places *places = &config->places;
	if (places->files >= CONFIG_MAX_FILES) {
		buf_printf(errors, "%s:0: more than %d files\n", path, CONFIG_MAX_FILES);
		return false;
	}
	FILE *stream = fopen(path, "re");
	struct stat facts;
	if (stream == NULL || fstat(fileno(stream), &facts) != 0) {
		buf_printf(errors, "%s:0: cannot be read: %s\n", path, strerror(errno));
		if (stream != NULL) {
			fclose(stream);
		}
		return false;
	}
	if (S_ISDIR(facts.st_mode)) {
		buf_printf(errors, "%s:0: is a directory, not a file\n", path);
		fclose(stream);
		return false;
	}
	places->files++;
	snprintf(places->file[places->files], sizeof places->file[0], "%s", path);
	struct reading reading = {
		.config = config,
		.errors = errors,
		.name = path,
		.file = places->files,
		.stream = stream,
		.section = -1,
	};
	ini_parse_stream(read_line, &reading, take_value, &reading);
	bool failed = ferror(stream) != 0;
	if (failed) {
		complain(&reading, "cannot be read further: %s", strerror(errno));
	}
	fclose(stream);
	return !failed;
}

static int is_dropin(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_dropins(struct config *config, const char *path, struct buf *errors)
{
	char folder[512];
	const char *slash = strrchr(path, '/');
	int stem = slash == NULL ? 0 : (int)(slash - path) + 1;
	snprintf(folder, sizeof folder, "%.*sconf.d", stem, path);
	struct dirent **entries;
	int n = scandir(folder, &entries, is_dropin, by_name);
	if (n < 0) {
		if (errno != ENOENT && errno != ENOTDIR) {
			buf_printf(errors, "%s:0: cannot be read: %s\n", folder, strerror(errno));
		}
		return;
	}
	for (int i = 0; i < n; i++) {
		char file[800];
		snprintf(file, sizeof file, "%s/%s", folder, entries[i]->d_name);
		read_file(config, file, errors);
		free(entries[i]);
	}
	free(entries);
}

bool config_set_bind(struct config *config, const char *address)
{
	char clean[sizeof config->server.bind];
	bool all = strcmp(address, "all") == 0 || strcmp(address, "*") == 0;
	if (strlen(address) >= sizeof clean) {
		return false;
	}
	snprintf(clean, sizeof clean, "%s", all ? "" : address);
	memcpy(config->server.bind, clean, sizeof clean);
	return true;
}

enum err_code config_read(struct config *config, const char *path, struct buf *errors)
{
	size_t before = errors->len;
	if (!read_file(config, path, errors)) {
		return ERR_IO;
	}
	read_dropins(config, path, errors);
	config_set_bind(config, config->server.bind);
	return errors->len > before || errors->failed ? ERR_INVALID_VALUE : ERR_OK;
}
