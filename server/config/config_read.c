/* SPDX-License-Identifier: MIT */
/*
 * Reads the configuration: INI files through inih, line by line, against the table in
 * config_table.c.  inih tells neither line numbers nor more than one error, splits long lines and
 * takes an indented key for a continuation, so the reader below counts and checks each line before
 * inih sees it, and withholds it where need be.
 */
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_private.h"

/* inih's own line buffer holds 200 bytes with line end and NUL. */
#define MAX_LINE 197

/* A file that is being read. */
struct reading {
	struct config *config;
	struct buf *errors;
	const char *name;
	int file; /* its index in config->places */
	FILE *stream;
	int line;
	int section;      /* row of config_sections, -1 before the first or after an unknown one */
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
	/* The quoted part of the line may hold any bytes, or be cut inside a character. */
	char clean[sizeof text];
	text_copy_clean(clean, sizeof clean, text);
	buf_printf(r->errors, "%s:%d: %s\n", r->name, r->line, clean);
}

/* inih calls this for each key with its value, immediately after it took the line from read_line(). */
static int take_value(void *user, const char *section, const char *key, const char *value)
{
	(void)section; /* inih cuts the name at 49 bytes; read_line() keeps the whole */
	struct reading *r = user;
	if (r->section < 0) {
		if (!r->any_section) {
			complain(r, "'%.40s' stands before the first [section]", key);
		}
		return 1;
	}
	struct err err;
	const struct config_option *option;
	if (config_option_seek(r->section, key, &option, &err) != ERR_OK) {
		complain(r, "%s", err.text);
		return 1;
	}
	struct config_place *place = &r->config->places.option[option - config_options][r->number];
	if (place->file == r->file) {
		complain(r, "%s is given twice; the first is in line %d", key, place->line);
		return 1;
	}
	*place = (struct config_place){.file = r->file, .line = r->line};
	if (config_option_parse(r->config, option, r->number, value, true, &err) != ERR_OK) {
		complain(r, "%s", err.text);
	}
	return 1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

/* Whether nothing but blanks or a comment is left of a line. */
static bool is_rest(const char *text)
{
	while (is_blank(*text)) {
		text++;
	}
	return *text == '\0' || *text == ';' || *text == '#';
}

/* Takes a line with "[...]"; text points behind the bracket. */
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
	struct err err;
	if (config_section_parse((struct span){text, len}, &r->section, &r->number, &err) != ERR_OK) {
		complain(r, "%s", err.text);
		return false;
	}
	struct config_place *place = &r->config->places.section[r->section][r->number];
	if (place->file == 0) {
		*place = (struct config_place){.file = r->file, .line = r->line};
	}
	if (r->section == CONFIG_SECTION_FOCUSER) {
		r->config->focuser[r->number].present = true;
	} else if (r->section == CONFIG_SECTION_CAMERA) {
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
		complain(r, "the line contains a NUL byte: this is no text file, or one in UTF-16; save it as UTF-8");
		return false;
	}
	if (memchr(line, '\r', len) != NULL) {
		complain(r, "there is a CR inside the line: save the file with line ends of Unix or Windows");
		return false;
	}
	if (is_rest(line)) {
		return false; /* inih has nothing to do with an empty line or a comment */
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
	/* inih looks for the separator up to a comment only, which is a ';' behind a blank. */
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

/* inih reads lines through this in place of fgets(). */
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
