/* SPDX-License-Identifier: MIT */
#include "phase.h"

#include "focuser_private.h"

void (*focuser_phase_bug)(enum move_phase from, enum move_phase to);

static const char *const names[MOVE_PHASES] = {
	[MOVE_NONE] = "none",
	[MOVE_ACCEPTED] = "accepted",
	[MOVE_STOPPING] = "stopping",
	[MOVE_LEG] = "leg",
	[MOVE_SETTLE] = "settle",
	[MOVE_HALTING] = "halting",
	[MOVE_CALIBRATING] = "calibrating",
};

#define TO(phase) (1u << (phase))

/* A row says where a phase may lead.  Every phase may end in MOVE_NONE, since the link may be lost in each. */
static const unsigned lawful[MOVE_PHASES] = {
	[MOVE_NONE] = TO(MOVE_ACCEPTED) | TO(MOVE_CALIBRATING),
	[MOVE_ACCEPTED] = TO(MOVE_STOPPING) | TO(MOVE_LEG) | TO(MOVE_HALTING) | TO(MOVE_NONE),
	[MOVE_STOPPING] = TO(MOVE_ACCEPTED) | TO(MOVE_HALTING) | TO(MOVE_NONE),
	[MOVE_LEG] = TO(MOVE_ACCEPTED) | TO(MOVE_SETTLE) | TO(MOVE_HALTING) | TO(MOVE_NONE),
	[MOVE_SETTLE] = TO(MOVE_ACCEPTED) | TO(MOVE_LEG) | TO(MOVE_HALTING) | TO(MOVE_NONE),
	[MOVE_HALTING] = TO(MOVE_ACCEPTED) | TO(MOVE_NONE),
	[MOVE_CALIBRATING] = TO(MOVE_HALTING) | TO(MOVE_NONE),
};

const char *focuser_phase_name(enum move_phase phase)
{
	return phase < MOVE_PHASES ? names[phase] : "?";
}

bool focuser_phase_lawful(enum move_phase from, enum move_phase to)
{
	return from < MOVE_PHASES && to < MOVE_PHASES && (from == to || (lawful[from] & TO(to)) != 0);
}

void focuser_set_phase(struct device *dev, enum move_phase to)
{
	struct focuser_core *f = focuser_of(dev);
	enum move_phase from = f->phase;
	f->phase = to;
	if (to == MOVE_LEG) {
		f->ours = true;
	} else if (to == MOVE_NONE) {
		f->ours = false;
	}
	if (!focuser_phase_lawful(from, to)) {
		log_error(dev->info.source, "bug: a move goes from phase %s to %s", focuser_phase_name(from),
			focuser_phase_name(to));
		if (focuser_phase_bug != NULL) {
			focuser_phase_bug(from, to);
		}
	}
}
