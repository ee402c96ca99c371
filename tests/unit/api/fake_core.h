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
#include "observatory.h"

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

struct observatory {
	struct config config;
	struct events *events;
	struct device device[2]; /* focuser.0, camera.0 */
	struct run *run;         /* the newest; NULL none.  The store knows runs 5 (succeeded) and 6 (failed) */
	int run_starts;
	struct autofocus_params run_params;
	bool store_ready;        /* it answers */
	enum err_code store_fails;
	bool measured;
	enum err_code measure_result;
};

/* Two connected devices with sensible states. */
struct observatory *fake_observatory(void);
void fake_free(struct observatory *obs);

/* Every access of a test while a server runs stands between these two. */
void fake_lock(void);
void fake_unlock(void);

/* Ends what waits, and publishes. */
void fake_finish_connect(struct observatory *obs, struct device *dev, enum err_code result);
void fake_finish_run(struct observatory *obs, enum run_state state, enum err_code code);
void fake_finish_measure(struct observatory *obs);
/* Another run takes the place of the newest one. */
void fake_forget_run(struct observatory *obs);

#endif
