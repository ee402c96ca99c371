/* SPDX-License-Identifier: MIT */
/*
 * A core in memory for the tests of the API: one focuser (number 0) and one camera (number 0),
 * whose state the tests set directly under fake_lock().  Nothing moves by itself.
 */
#ifndef FAKE_CORE_H
#define FAKE_CORE_H

#include "autofocus.h"
#include "camera.h"
#include "focuser.h"
#include "served.h"

struct device {
	struct device_info info;
	bool connected;
	enum device_link link;
	bool hold_connect; /* connects do not end until fake_finish_connect() */
	bool connect_over;
	enum err_code connect_result;
	bool said_false; /* some client */
	int touched, moves, halts, starts;
	int32_t target;
	struct focuser_state focuser;
	struct focuser_calibration calibration;
	int calibrations, calibration_aborts; /* asked for */
	struct camera_state camera;
	const char *const *modes;
	struct frame *frame;
};

struct autofocus {
	struct run *run; /* the newest; NULL none */
	int run_starts;
	struct autofocus_params run_params;
	bool guided;             /* a guided session goes on */
	int measurements;
	int measured_camera; /* as the last measurement named it; -1: the focuser's own */
	bool measured;
	enum err_code measure_result;
};

struct store {
	bool ready; /* it answers: it knows runs 5 and 41, which succeeded, and 6, which failed */
	enum err_code fails;
};

struct fake {
	struct config config;
	struct store store;
	struct events *events;
	struct device device[2]; /* focuser.0, camera.0 */
	struct devices devices;
	struct autofocus autofocus; /* of focuser.0 */
	struct served served;    /* all this, as alpaca_create() wants it */
};

/* Two connected devices with sensible states. */
struct fake *fake_create(void);
void fake_free(struct fake *fake);

/* Every access of a test while a server runs stands between these two. */
void fake_lock(void);
void fake_unlock(void);

/* Ends what waits, and publishes. */
void fake_finish_connect(struct fake *fake, struct device *dev, enum err_code result);
void fake_finish_run(struct fake *fake, enum run_state state, enum err_code code);
void fake_finish_measure(struct fake *fake);
/* Another run takes the place of the newest one. */
void fake_forget_run(struct fake *fake);

#endif
