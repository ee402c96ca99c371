/* SPDX-License-Identifier: MIT */
#ifndef FOCUSD_EMU_MOONLITE_H
#define FOCUSD_EMU_MOONLITE_H

#include "emulated.h"

/* A single Moonlite controller, or with its faults one of the clones. */
extern const struct emulator_kind emu_moonlite;

#endif
