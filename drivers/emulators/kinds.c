/* SPDX-License-Identifier: MIT */
/* The kinds of emulated devices, in the order in which they are listed; no file below asks for it. */
#include "emulator.h"

#include "emu_celestron.h"
#include "emu_moonlite.h"
#include "emu_myfocuserpro2.h"

const struct emulator_kind *const emulator_kinds[] = {&emu_moonlite, &emu_celestron, &emu_myfocuserpro2, NULL};
