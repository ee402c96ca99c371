/* SPDX-License-Identifier: MIT */
/* What the settings of an emulated device may be, and what they are unless told. */
#include <string.h>

#include "emulator.h"

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
		if (!emulator_knows_fault(kind->faults, settings->faults[i]) &&
			!emulator_knows_fault(emulator_line_faults, settings->faults[i])) {
			return err_set(err, ERR_INVALID_VALUE, "%s has no fault '%s'; see --help",
				kind->name, settings->faults[i]);
		}
	}
	return ERR_OK;
}
