/* SPDX-License-Identifier: MIT */
#ifndef FOCUSD_EMU_MYFOCUSERPRO2_H
#define FOCUSD_EMU_MYFOCUSERPRO2_H

#include "emulated.h"

/* The do-it-yourself controller myFocuserPro2. */
extern const struct emulator_kind emu_myfocuserpro2;

#endif
