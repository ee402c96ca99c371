/* SPDX-License-Identifier: MIT */
/*
 * The moonlite driver against a script (script_pipe.h): opened, identified, asked, closed.  The device
 * clock is a fake one, so the pauses of the temperature cost nothing.
 */
#ifndef FOCUSD_MOONLITE_RIG_H
#define FOCUSD_MOONLITE_RIG_H

#include "moonlite_driver.h"
#include "script_pipe.h"

struct moonlite_rig {
	struct driver_host host;
	struct focuser_port port;
	void *ctx;
};

/* How it is set is asked for last, and nothing depends on it. */
#define SETTINGS {":GH#", "00#", NULL}, {":GD#", "02#", NULL}
#define KNOWN {":GV#", "10#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "00#", NULL}, SETTINGS

/* Opens the driver on a script, with the words of quirks; sends nothing. */
void moonlite_rig_open_with(struct moonlite_rig *rig, const struct script_step *steps, int32_t max_step,
	const char *quirks);
void moonlite_rig_open(struct moonlite_rig *rig, const struct script_step *steps, int32_t max_step);
void moonlite_rig_close(struct moonlite_rig *rig);

/* Opens and identifies it; the script begins with KNOWN. */
void moonlite_open_known(struct moonlite_rig *rig, const struct script_step *steps, int32_t max_step);

/* A poll that must succeed. */
struct focuser_reading moonlite_poll_ok(struct moonlite_rig *rig, unsigned want);

/* The script was played to its end, and nothing else was sent. */
void moonlite_check_script(void);

#endif
