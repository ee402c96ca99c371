/* SPDX-License-Identifier: MIT */
/* Shows settings: their keys, their values, and where the values come from. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "settings_private.h"

enum err_code settings_key_parse(const char *key, const struct config_option **option, int *number, struct err *err)
{
	const char *dot = strrchr(key, '.');
	if (dot == NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"'%.40s' names no setting: it takes a section and a key, as in focuser.0.backlash_steps", key);
	}
	int row;
	enum err_code code = config_section_parse((struct span){key, (size_t)(dot - key)}, &row, number, err);
	return code == ERR_OK ? config_option_seek(row, dot + 1, option, err) : code;
}

void settings_key_print(const struct config_option *option, int number, char *out, size_t cap)
{
	size_t stem = strcspn(option->section, "N");
	if (option->section[stem] == 'N') {
		snprintf(out, cap, "%.*s%d.%s", (int)stem, option->section, number, option->name);
	} else {
		snprintf(out, cap, "%s.%s", option->section, option->name);
	}
}

/* Prints "focusd.conf:12", with the file as seen from the folder of the first one. */
static void print_place(const struct config *config, struct config_place place, char *out, size_t cap)
{
	const struct config_places *places = &config->places;
	if (place.file == 0) {
		snprintf(out, cap, "default");
		return;
	}
	const char *name = places->file[place.file];
	if (place.line == 0) {
		snprintf(out, cap, "%s", name);
		return;
	}
	const char *slash = strrchr(places->file[1], '/');
	size_t folder = slash == NULL ? 0 : (size_t)(slash - places->file[1]) + 1;
	snprintf(out, cap, "%s:%d", strncmp(name, places->file[1], folder) == 0 ? name + folder : name, place.line);
}

/* Fills in what one setting is. The caller holds change_lock. */
static void show(const struct settings *s, const struct config *config, const struct config_option *option, int number,
	struct settings_entry *out)
{
	memset(out, 0, sizeof *out);
	out->option = option;
	settings_key_print(option, number, out->key, sizeof out->key);
	config_option_print(config, option, number, out->value, sizeof out->value);
	const struct settings_record *r = settings_standing(s, option, number);
	if (r != NULL) {
		out->change = r->change;
		snprintf(out->origin, sizeof out->origin, "changed here %s by %s", r->when, r->who);
	} else {
		print_place(config, config->places.option[option - config_options][number], out->origin,
			sizeof out->origin);
	}
}

enum err_code settings_show(struct settings *s, const char *key, struct settings_entry *out, struct err *err)
{
	const struct config_option *option;
	int number;
	enum err_code code = settings_key_parse(key, &option, &number, err);
	if (code != ERR_OK) {
		return code;
	}
	pthread_mutex_lock(&s->change_lock);
	const struct config *config = settings_get(s);
	show(s, config, option, number, out);
	settings_release(s, config);
	pthread_mutex_unlock(&s->change_lock);
	return ERR_OK;
}

/* Whether a section stands in the configuration or could have an effect there: a telescope belongs to the camera with
 * its number. */
static bool is_listed(const struct config *config, int row, int number)
{
	switch (row) {
	case CONFIG_SECTION_FOCUSER:
		return config->focuser[number].present;
	case CONFIG_SECTION_CAMERA:
		return config->camera[number].present;
	case CONFIG_SECTION_TELESCOPE:
		return config->camera[number].present || !isnan(config->telescope[number].focal_length_mm) ||
			!isnan(config->telescope[number].aperture_mm);
	default:
		return number == 0;
	}
}

void settings_list(struct settings *s, void (*tell)(void *ctx, const struct settings_entry *entry), void *ctx)
{
	pthread_mutex_lock(&s->change_lock);
	const struct config *config = settings_get(s);
	for (int row = 0; row < CONFIG_SECTION_COUNT; row++) {
		for (int number = 0; number < CONFIG_MAX_DEVICES; number++) {
			for (size_t i = 0; is_listed(config, row, number) && i < config_option_count; i++) {
				if (strcmp(config_options[i].section, config_sections[row].name) == 0) {
					struct settings_entry entry;
					show(s, config, &config_options[i], number, &entry);
					tell(ctx, &entry);
				}
			}
		}
	}
	settings_release(s, config);
	pthread_mutex_unlock(&s->change_lock);
}
