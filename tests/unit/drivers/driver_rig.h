/* SPDX-License-Identifier: MIT */
/*
 * A driver on its emulated device, on a real pseudo terminal: what the test of any serial driver needs.
 * Nothing waits for a fixed time: loops end when the device says so, or fail at a generous deadline.
 */
#ifndef FOCUSD_DRIVER_RIG_H
#define FOCUSD_DRIVER_RIG_H

#include "emulator_thread.h"
#include "focuser_driver.h"

#define GENEROUS_MS 20000

struct driver_rig {
	const struct focuser_driver *driver;
	struct emulator_thread emulator;
	struct driver_host host;  /* real clock; change it before the first call that needs another */
	struct focuser_port port;
	void *ctx;
	struct focuser_caps caps; /* of the last identify */
	char faults[200];
};

/* Starts the device with these faults (separated by blanks) at this position, its motor factor times
 * faster than life, and opens the driver on it. */
void driver_rig_open(struct driver_rig *rig, const struct focuser_driver *driver,
	const struct emulator_kind *kind, const char *faults, int32_t position, double factor);
void driver_rig_close(struct driver_rig *rig);

/* Closes the driver, and opens it on the device over TCP, through a bridge that ends with the connection:
 * driver_rig_end_tcp() waits for that, after driver->close(). */
struct driver_bridge {
	pthread_t thread;
	int listener, tty;
};
void driver_rig_over_tcp(struct driver_rig *rig, struct driver_bridge *bridge);
void driver_rig_end_tcp(struct driver_bridge *bridge);

/* As core does: again and again until it answers. */
void driver_rig_identify(struct driver_rig *rig);

/* Polls until the wanted state.  Missed answers are counted in *failures (may be NULL) and pass: on a busy
 * machine any may be late. */
struct focuser_reading driver_rig_poll_until(struct driver_rig *rig, bool moving, int *failures);

void driver_rig_start_move(struct driver_rig *rig, int32_t target);

/* Polls for the temperature, until there is a number or it seems that there is none. */
struct focuser_reading driver_rig_measure(struct driver_rig *rig);

/* Calls row(0..count-1), each on a thread of its own: devices wait for their lines, not for each
 * other.  What fails there says so and ends the program: a thread cannot jump back to the test. */
void driver_rig_at_once(size_t count, void (*row)(size_t i));

#endif
