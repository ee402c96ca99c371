/* SPDX-License-Identifier: MIT */
/* The kinds of emulated devices, and what their settings may be. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>

#include "emu_celestron.h"
#include "emu_moonlite.h"
#include "emu_myfocuserpro2.h"
#include "text.h"

const struct emulator_kind *const emulator_kinds[] = {&emu_moonlite, &emu_celestron, &emu_myfocuserpro2, NULL};

/* "offset-7" against "offset-": the text of the number, NULL when it is another fault. */
static const char *match(const char *asked, const char *name)
{
	size_t len = strlen(name);
	if (strncmp(asked, name, len) != 0) {
		return NULL;
	}
	bool takes_number = name[len - 1] == '-';
	return takes_number || asked[len] == '\0' ? asked + len : NULL;
}

static bool valid(const char *asked, const struct emulator_fault *faults)
{
	for (; faults->name != NULL; faults++) {
		const char *number = match(asked, faults->name);
		int32_t value;
		if (number != NULL && (number[0] == '\0') == (faults->name[strlen(faults->name) - 1] != '-')) {
			return number[0] == '\0' || text_parse_i32(span_of(number), &value);
		}
	}
	return false;
}

bool emulator_has_fault(const struct emulator_settings *settings, const char *name, int *number)
{
	for (int i = 0; i < settings->fault_count; i++) {
		const char *text = match(settings->faults[i], name);
		if (text != NULL) {
			int32_t value = 0;
			(void)text_parse_i32(span_of(text), &value);
			if (number != NULL) {
				*number = value;
			}
			return true;
		}
	}
	return false;
}

void emulator_defaults(const struct emulator_kind *kind, struct emulator_settings *settings)
{
	memset(settings, 0, sizeof *settings);
	settings->position = kind->usual_position;
	settings->max_step = kind->usual_max_step;
	settings->speed_steps_per_s = kind->usual_speed_steps_per_s;
	settings->time_factor = 1;
	settings->temperature_c = 10;
}

enum err_code emulator_check(const struct emulator_kind *kind,
	const struct emulator_settings *settings, struct err *err)
{
	if (settings->max_step < 1) {
		return err_set(err, ERR_INVALID_VALUE, "the highest position must be at least 1");
	}
	if (settings->position < 0 || settings->position > settings->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d",
			(int)settings->position, (int)settings->max_step);
	}
	if (!(settings->speed_steps_per_s > 0 && settings->speed_steps_per_s <= 1e6)) {
		return err_set(err, ERR_INVALID_VALUE, "the speed must be above 0 and at most 1000000");
	}
	if (!(settings->time_factor >= 0.01 && settings->time_factor <= 1e5)) {
		return err_set(err, ERR_INVALID_VALUE, "the time factor must be 0.01..100000");
	}
	if (settings->baud != 0 && (settings->baud < 300 || settings->baud > 4000000)) {
		return err_set(err, ERR_INVALID_VALUE, "the line's rate must be 300..4000000");
	}
	if (!(settings->temperature_c >= -55 && settings->temperature_c <= 125)) {
		return err_set(err, ERR_INVALID_VALUE, "the temperature must be -55..125");
	}
	for (int i = 0; i < settings->fault_count; i++) {
		if (!valid(settings->faults[i], kind->faults) &&
			!valid(settings->faults[i], emulator_line_faults)) {
			return err_set(err, ERR_INVALID_VALUE, "%s has no fault '%s'; see --help",
				kind->name, settings->faults[i]);
		}
	}
	return ERR_OK;
}
