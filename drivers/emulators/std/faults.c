/* SPDX-License-Identifier: MIT */
/* Faults by name. */
#include <string.h>

#include "emulated.h"
#include "text.h"

static bool takes_number(const char *name)
{
	return name[strlen(name) - 1] == '-';
}

/* "offset-7" against "offset-": the text of the number; NULL when it is another fault. */
static const char *match(const char *asked, const char *name)
{
	size_t len = strlen(name);
	if (strncmp(asked, name, len) != 0) {
		return NULL;
	}
	return takes_number(name) || asked[len] == '\0' ? asked + len : NULL;
}

bool emulator_knows_fault(const struct emulator_fault *faults, const char *asked)
{
	for (; faults->name != NULL; faults++) {
		const char *number = match(asked, faults->name);
		int32_t value;
		if (number != NULL && (number[0] != '\0') == takes_number(faults->name)) {
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

void emulator_raise_faults(const struct emulator_fault *faults, const struct emulator_settings *settings,
	void *ctx)
{
	for (; faults->name != NULL; faults++) {
		if (faults->flag != 0) {
			*(bool *)((char *)ctx + faults->flag) = emulator_has_fault(settings, faults->name, NULL);
		}
	}
}
