/* SPDX-License-Identifier: MIT */
/* A focuser and a camera driver that do what a test tells them, for testing core without hardware. */
#ifndef FOCUSD_TEST_FAKE_DRIVERS_H
#define FOCUSD_TEST_FAKE_DRIVERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_MAX_MOVES 256

/* What the test sets and reads; fake_reset() resets it. */
struct fake {
	/* The focuser. */
	_Atomic int32_t start_position;
	_Atomic bool loses_count;   /* the next poll finds a controller that began anew, at a saved 2000 */
	_Atomic int32_t speed;      /* steps per second of the device's clock */
	_Atomic int32_t stop_short; /* a move ends this many steps away from its target */
	_Atomic bool stuck;         /* the motor says that it moves, but it does not */
	_Atomic bool silent;        /* every call times out */
	_Atomic bool gone;          /* every call says that the port is gone */
	_Atomic bool open_fails;
	_Atomic bool open_waits;    /* open() comes back only when this is false again */
	_Atomic bool opening;       /* open() is waiting for that */
	_Atomic int open_count;
	char device[96];            /* the port's device at the last open() that succeeded; read it when the link is
				     * up */
	_Atomic int deaf_halts;     /* so many halts are taken and do nothing */
	_Atomic int failing_halts;  /* so many halts are not heard and say timeout */
	_Atomic bool orders_wait;   /* halts and ends of calibrations are carried out when this is false again */
	_Atomic bool ordering;      /* one is waiting for that */
	_Atomic int late_ms;        /* the motor begins so many ms after start_move, device clock */
	_Atomic int failing_starts; /* so many start_move calls start the motor and say timeout */
	_Atomic int32_t lowest;     /* the motor's lower limit, as after a calibration */
	_Atomic int32_t max_increment, own_backlash; /* what the caps say; 0 = 10000 and none */
	_Atomic int32_t tells_backlash; /* the next reading tells this amount of backlash; 0 = no reading does */
	_Atomic int garbled;        /* so many polls are answered with noise */
	_Atomic int32_t glitch;     /* the next reading is off by this much */
	_Atomic int32_t hand;       /* steps a second by which a hand turns the knob, without a word of the device */
	_Atomic int32_t shove;      /* steps by which the motor is pushed, once */
	_Atomic int32_t shove_after_move; /* the same, between the reading that sees a move end and the next one */
	_Atomic bool runs_off;      /* the motor runs the wrong way */
	_Atomic bool runs_past;     /* the motor does not stop at the target */
	_Atomic int32_t mishears;   /* the next start_move hears this target instead; 0 = as told */
	_Atomic int32_t overshoot;  /* the motor goes past its target by so much and comes back */
	_Atomic int32_t coast;      /* a running motor that has to turn round goes on by so much first */
	_Atomic bool backlash_untold; /* whether the caps say so */
	_Atomic bool says_moving;   /* every reading says that the motor moves */
	_Atomic int32_t true_position; /* what the last reading should have said */
	/* How long "fake-slow-calibrator" takes, device clock; its position means nothing meanwhile. */
	_Atomic int calibration_ms;
	_Atomic bool calibration_hangs;
	_Atomic bool calibration_stale; /* it still says "done" of the last calibration while the next one runs */
	_Atomic bool calibration_runs;  /* what the last poll said */
	_Atomic int calibration_aborts;
	_Atomic int poll_count;
	_Atomic double temperature_c;
	_Atomic int temperature_count; /* how often the temperature was asked for */
	_Atomic int temperature_alone; /* and how often without the motion, as before the link is up */
	_Atomic int temperature_late;  /* so many questions for the temperature are not answered */
	_Atomic int temperature_waking; /* so many are answered with 85, as by a DS18B20 that has just got power */
	_Atomic int move_count;     /* start_move calls */
	_Atomic int32_t move[FAKE_MAX_MOVES];
	_Atomic int halt_count;
	_Atomic int moves_at_halt;  /* move_count when the last halt came */
	_Atomic int set_position_count; /* calls of set_position */
	_Atomic bool sync_fails;
	_Atomic int mute_set_positions; /* so many calls of set_position are obeyed and say timeout */
	_Atomic bool set_position_waits; /* set_position() comes back only when this is false again */
	_Atomic bool reset;         /* the board loses its count at the next poll, and stands still */
	_Atomic bool calibrating;   /* "fake-calibrator" drives to its ends and does not finish */
	_Atomic int calibrate_starts, calibrate_aborts; /* calls of calibrate() */
	_Atomic int deaf_calibrates; /* so many calls of calibrate() do nothing and say timeout */
	_Atomic int mute_calibrates; /* so many calls of calibrate() are obeyed and say timeout */
	/* The camera. */
	_Atomic int frame_type;     /* enum image_type of its frames, from the next open on */
	_Atomic bool expose_fails;
	_Atomic int expose_count;
	_Atomic int fail_next;      /* so many read-outs are torn */
	_Atomic int abort_count;
	_Atomic int lend_count;     /* frames lent to "fake-painting" */
	_Atomic bool read_waits;    /* a read-out comes back only when this is false again, or for something urgent */
	_Atomic bool reading;       /* the read-out is waiting for that */
	_Atomic bool climate_fails; /* temperatures cannot be read */
	_Atomic int climate_late;   /* so many readings lack the heat sink's temperature */
	_Atomic int climate_count;  /* readings */
	_Atomic bool cooler_runs;   /* the camera says that its cooler is on, at -7 C */
	_Atomic bool pulse_fails;
	_Atomic double sensor_c;
	_Atomic bool cooler_on;     /* what the hardware was told */
	_Atomic double set_point_c;
	_Atomic int cooler_count, pulse_count;
	_Atomic int pulse_direction, pulse_ms;
};
extern struct fake fake;

void fake_reset(void);

/* Element number i, row by row, of every frame; its value fits exactly into its own type only. */
double fake_element(int type, size_t i);

/* Puts the motor at a position by its own count, as a reset of the board or a hand on the box does. It may be called
 * only while nobody is connected. */
void fake_put_motor(int32_t position);

/* Puts it there and sends it off to another position, as somebody else does.  It may be called only while nobody is
 * connected or the port is gone. */
void fake_drive_motor(int32_t from, int32_t to);

#endif
