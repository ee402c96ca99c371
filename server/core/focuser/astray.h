/* SPDX-License-Identifier: MIT */
/*
 * Whether a motor that was sent along a leg goes somewhere else: because it is wired backwards, because a digit of
 * its target was lost on a line that is not read back, or because something else drives it.  It is judged by the
 * steps between readings and not by time, so that it is stopped after steps, too.  Pure: no lock, no clock, no
 * driver.
 *
 * Two things are wrong.  The motor recedes: on the near side of the target its distance to the target grows, by more
 * than is forgiven (the margin below and the device's own backlash), over ASTRAY_READINGS readings.  Or it passes: it
 * is beyond the target by more than that, and goes on, over as many readings.  What comes in between is none of that:
 * a motor that starts late, one number that a bad line has made (the next reading leads back), an overshoot by
 * deceleration, a device that goes past its target against its own backlash and returns.  A motor that was running
 * when it was sent has to slow down and turn first, so it is not judged before it has turned or ASTRAY_TURN_MS have
 * passed.
 */
#ifndef FOCUSD_FOCUSER_ASTRAY_H
#define FOCUSD_FOCUSER_ASTRAY_H

#include <stdbool.h>
#include <stdint.h>

/* So many readings in a row have to say it.  One may be made by the line, and core asks again before it believes a
 * position that leads away (focuser_reading_is_odd()), so two believed ones are three answers of the device. */
#define ASTRAY_READINGS 2

/* Steps that are forgiven in any case: a quarter turn of the usual motor of 200 full steps, and more than any
 * overshoot that is known of a device: 7 steps of a clone's own backlash (serial-protocols, moonlite), the few counts
 * by which a motor with an encoder swings in. */
#define ASTRAY_MARGIN_STEPS 50

/* And what a motor covers while it slows down from the speed it was seen at: one that stops within 100 ms, which is
 * longer than the ramps of the controllers known, runs on for half of what it would cover in that time. */
#define ASTRAY_RAMP_MS 50

/* But never more than this, however fast: a bad reading makes speeds that no motor has. */
#define ASTRAY_MARGIN_MOST 200

/* A running motor that gets a new target has turned after this, ms: the ramp down, the ramp up, and the controllers
 * that look at a new target some tenths of a second late. */
#define ASTRAY_TURN_MS 1500

enum astray_word {
	ASTRAY_NO,
	ASTRAY_MAYBE,   /* the last reading leads astray: look again soon */
	ASTRAY_RECEDES,
	ASTRAY_PASSES,
};

/* What is known when the motor is sent. */
struct astray_way {
	int32_t from, target;   /* steps as clients see them */
	bool running;           /* it was moving already */
	int32_t tolerance;      /* steps; arrivals may be so far off */
	int32_t own_backlash;   /* steps that the device takes up by itself, and so may go past its target */
	bool backlash_untold;   /* it may, and nobody knows how far: then passing is not judged at all */
	int64_t now_ms;         /* device clock */
};

struct astray {
	struct astray_way way;
	int sign;               /* +1: positions grow on the way */
	bool turned;            /* it was at rest, or has been seen coming nearer */
	bool near_once;         /* it was within tolerance of the target, or beyond */
	int64_t last;           /* steps from `from` towards the target, at the last reading */
	int64_t best;           /* the most of that since the motor last came nearer, at most the target's */
	int64_t passed_from;    /* passing is counted from here: the target, or where a running motor was by then */
	double top_speed;       /* steps per ms; the fastest seen on this leg */
	int receding, passing;  /* readings in a row */
};

void astray_begin(struct astray *a, const struct astray_way *way);

/* After each believed reading.  speed: steps per ms seen between the last readings, 0 unknown. */
enum astray_word astray_take(struct astray *a, int32_t position, double speed, int64_t now_ms);

/* Steps that it has gone wrong so far: away from the nearest it was, or beyond its target. */
int64_t astray_steps(const struct astray *a);

#endif
