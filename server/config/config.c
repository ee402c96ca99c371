/* SPDX-License-Identifier: MIT */
/* The configuration as a whole: sections, defaults, and where each value was given. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config_private.h"

const struct config_section config_sections[CONFIG_SECTION_COUNT] = {
	[CONFIG_SECTION_SERVER] = {"server", false, 0},
	[CONFIG_SECTION_FOCUSER] = {"focuser.N", true, sizeof(struct config_focuser)},
	[CONFIG_SECTION_CAMERA] = {"camera.N", true, sizeof(struct config_camera)},
	[CONFIG_SECTION_TELESCOPE] = {"telescope.N", true, sizeof(struct optics_config)},
	[CONFIG_SECTION_AUTOFOCUS] = {"autofocus", false, 0},
	[CONFIG_SECTION_SIMULATOR] = {"simulator", false, 0},
};

int config_section_row(const char *name)
{
	for (int i = 0; i < CONFIG_SECTION_COUNT; i++) {
		if (strcmp(config_sections[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

const struct config_option *config_option_find(const char *section, const char *key)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		if (strcmp(o->section, section) == 0 && strcmp(o->name, key) == 0) {
			return o;
		}
	}
	return NULL;
}

/* The number of edits (insert, delete, replace) that make b of a, without regard to case; both are short. */
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
			size_t best = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[m];
}

size_t config_unlike(const char *given, const char *known)
{
	enum { SHORTEST = 3 };
	size_t given_len = strlen(given);
	size_t known_len = strlen(known);
	size_t shorter = given_len < known_len ? given_len : known_len;
	size_t edits = distance(given, known);
	return edits > 1 && shorter >= SHORTEST && strncasecmp(given, known, shorter) == 0 ? 1 : edits;
}

/* Proposes the section that was probably meant, "; did you mean [focuser.0]?", or lists them all. */
static void propose_section(const char *given, char *out, size_t cap)
{
	/* What a person wrote: letters, perhaps a dot or a blank, perhaps a number. */
	size_t stem = strcspn(given, ".0123456789 ");
	const char *digits = given + stem + strspn(given + stem, ". ");
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)stem, given);
	size_t least = CONFIG_MISSPELT_MOST + 1;
	snprintf(out, cap, "; there are server, focuser.N, camera.N, telescope.N, autofocus and simulator");
	for (int i = 0; i < CONFIG_SECTION_COUNT; i++) {
		const struct config_section *section = &config_sections[i];
		char known[32];
		snprintf(known, sizeof known, "%.*s", (int)strcspn(section->name, "."), section->name);
		size_t unlike = config_unlike(name, known);
		if (stem > 0 && unlike < least) {
			bool has_digit = digits[0] >= '0' && digits[0] < '0' + CONFIG_MAX_DEVICES && digits[1] == '\0';
			least = unlike;
			snprintf(out, cap, section->numbered ? "; did you mean [%s.%c]?" : "; did you mean [%s]?",
				known,
				has_digit ? digits[0] : '0');
		}
	}
}

enum err_code config_section_parse(struct span name, int *row, int *number, struct err *err)
{
	int shown = (int)(name.len > 60 ? 60 : name.len);
	for (int i = 0; i < CONFIG_SECTION_COUNT; i++) {
		const struct config_section *section = &config_sections[i];
		if (!section->numbered) {
			if (span_equal(name, section->name)) {
				*row = i;
				*number = 0;
				return ERR_OK;
			}
			continue;
		}
		size_t stem = strlen(section->name) - 1; /* length of "focuser.", the dot included */
		if (name.len < stem || strncmp(name.data, section->name, stem) != 0) {
			continue;
		}
		uint32_t found;
		if (name.len != stem + 1 || !text_parse_u32((struct span){name.data + stem, 1}, &found) ||
			found >= CONFIG_MAX_DEVICES) {
			return err_set(err, ERR_INVALID_VALUE, "[%.*s] must have a number from 0 to %d behind the dot",
				shown, name.data, CONFIG_MAX_DEVICES - 1);
		}
		*row = i;
		*number = (int)found;
		return ERR_OK;
	}
	char given[64];
	char proposal[100];
	snprintf(given, sizeof given, "%.*s", shown, name.data);
	propose_section(given, proposal, sizeof proposal);
	return err_set(err, ERR_INVALID_VALUE, "there is no section [%s]%s", given, proposal);
}

enum err_code config_option_seek(int row, const char *key, const struct config_option **out, struct err *err)
{
	const char *section = config_sections[row].name;
	const struct config_option *option = config_option_find(section, key);
	if (option != NULL) {
		*out = option;
		return ERR_OK;
	}
	const char *near = NULL;
	size_t least = CONFIG_MISSPELT_MOST + 1;
	for (size_t i = 0; i < config_option_count; i++) {
		size_t unlike = config_unlike(key, config_options[i].name);
		if (strcmp(config_options[i].section, section) == 0 && unlike < least) {
			least = unlike;
			near = config_options[i].name;
		}
	}
	return err_set(err, ERR_INVALID_VALUE, "[%s] has no key '%.40s'%s%s%s", section, key,
		near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof *config);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		const char *text = o->initial != NULL ? o->initial : o->fallback;
		int count = strstr(o->section, ".N") != NULL ? CONFIG_MAX_DEVICES : 1;
		for (int n = 0; n < count; n++) {
			config_option_parse(config, o, n, text, false, NULL);
		}
	}
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		config->focuser[n].camera = n;
	}
}

struct config_place config_place_of(const struct config *config, const char *section, const char *key, int number)
{
	const struct config_option *option = config_option_find(section, key);
	return option == NULL ? (struct config_place){0, 0} : config->places.option[option - config_options][number];
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

void config_override(struct config *config, const char *section, const char *key, const char *where)
{
	struct config_places *places = &config->places;
	const struct config_option *option = config_option_find(section, key);
	int file = 1;
	while (file <= places->files && strcmp(places->file[file], where) != 0) {
		file++;
	}
	if (option == NULL || file > CONFIG_MAX_FILES) {
		return;
	}
	if (file > places->files) {
		places->files = file;
		snprintf(places->file[file], sizeof places->file[file], "%s", where);
	}
	places->option[option - config_options][0] = (struct config_place){.file = file, .line = 0};
}
