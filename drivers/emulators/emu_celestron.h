/* SPDX-License-Identifier: MIT */
#ifndef FOCUSD_EMU_CELESTRON_H
#define FOCUSD_EMU_CELESTRON_H

#include "emulated.h"

/* Celestron's focus motor at its own USB, or with its faults behind a mount or a hand controller. */
extern const struct emulator_kind emu_celestron;

#endif
