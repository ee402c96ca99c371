/* SPDX-License-Identifier: MIT */
/* What the files of this room share: sections, fields by their row of the table, and checks without places. */
#ifndef FOCUSD_CONFIG_PRIVATE_H
#define FOCUSD_CONFIG_PRIVATE_H

#include "config.h"

/* The sections; the order is that of struct config_places.section. */
enum config_section_row {
	CONFIG_SECTION_SERVER,
	CONFIG_SECTION_FOCUSER,
	CONFIG_SECTION_CAMERA,
	CONFIG_SECTION_TELESCOPE,
	CONFIG_SECTION_AUTOFOCUS,
	CONFIG_SECTION_SIMULATOR,
	CONFIG_SECTION_COUNT
};
struct config_section {
	const char *name; /* as in the table: "server", "focuser.N" */
	bool numbered;
	size_t stride;    /* bytes from one device of a numbered section to the next; 0 for other sections */
};
extern const struct config_section config_sections[CONFIG_SECTION_COUNT];

/* The row of a section by its name in the table; -1 when there is none. */
int config_section_row(const char *name);

/* Finds the row and number (0 without) of a section by its name in a file, "focuser.0"; ERR_INVALID_VALUE with a
 * sentence. */
enum err_code config_section_parse(struct span name, int *row, int *number, struct err *err);

/* Finds an option of the section with this row of config_sections; ERR_INVALID_VALUE with a sentence that proposes a
 * similar key. */
enum err_code config_option_seek(int row, const char *key, const struct config_option **out, struct err *err);

/* Parses text into the option's field of device `number` (0 in sections without number). `checked` says whether bounds
 * count; they do not for initial values, which may mean "unknown". ERR_INVALID_VALUE with a sentence; the field is
 * untouched then. */
enum err_code config_option_parse(struct config *config, const struct config_option *option, int number,
	const char *text, bool checked, struct err *err);

/* How much a word that somebody wrote differs from a known one: the edits that make one of the other, without regard to
 * case; 1 where one of them, of at least three letters, begins the other.  More than CONFIG_MISSPELT_MOST: they have
 * nothing to do with each other. */
#define CONFIG_MISSPELT_MOST 2
size_t config_unlike(const char *given, const char *known);

/* What may be wrong with the way a value is written, to follow a sentence that says what it must be: " (it is written
 * without quotes)"; "" nothing that can be seen. */
const char *config_value_hint(const char *text);

/* What goes through a configuration, and where it puts what it finds. */
struct checking {
	const struct config *config;
	const struct config_drivers *drivers;
	struct buf *out;
	bool places;      /* file and line are said, too */
	const char *mark; /* before each sentence, "" or "warning: " */
};

/* Adds "file:line: mark[focuser.0] sentence"; the place is the key's when the key was given, else the section's. */
void config_complain(const struct checking *check, enum config_section_row row, int number, const char *key,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The driver with this name; NULL when the list has none. */
const struct config_driver *config_driver_find(const struct config_driver *list, const char *name);

/* Makes the checks of config_check() and tells the first complaint alone and without its place, "[focuser.0] there is
 * no [camera.1]", for a value that does not come from a file. */
enum err_code config_check_sentence(const struct config *config, const struct config_drivers *drivers, struct err *err);

#endif
