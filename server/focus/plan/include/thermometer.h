/* SPDX-License-Identifier: MIT */
/*
 * Which readings of a temperature probe are believed.  Probes fail in known ways: -127 and -128 when the
 * wire is off, 85 when a DS18B20 has just got power, numbers that a bad line made up.  A sensor that is
 * stuck cannot be told from a calm night, so nothing is said about that.  Pure.
 */
#ifndef FOCUSD_THERMOMETER_H
#define FOCUSD_THERMOMETER_H

#include <stdbool.h>
#include <stdint.h>

/* What a night at a telescope can have, degrees C.  Source: the range of the DS18B20 (Maxim 19-7487) is -55..125; no
 * night is warmer than 60, and its value at power-up of 85 has to lie outside. */
#define THERMOMETER_LOW_C (-55.0)
#define THERMOMETER_HIGH_C 60.0

/* Zeroed at first. */
struct thermometer {
	bool known;
	double celsius;     /* the last that was believed; while known */
	int64_t believed_ms;
	int support;        /* readings in a row that agreed with it */
	double other_c;     /* something else that was said */
	int other_support;
	int broken;         /* readings in a row that can be no temperature */
};

enum thermometer_word { THERMOMETER_BELIEVED, THERMOMETER_DOUBTED, THERMOMETER_BROKEN };

/* Takes one reading.
 * Given: t, zeroed at first; celsius, any; now_ms, of a clock that does not go back.
 * Returned: *t; and what the reading was.
 * Notes: 1) broken: no number, or outside the limits; the last good one stays for two of them and is forgotten with
 * the third.  2) doubted: more than 5 degrees, and one more for each minute since, from the last that was believed;
 * it is believed when it is said three times in a row, or two where there is but one reading against it, which is
 * forgotten at once.  3) tried on 15 nights of faults as probes make them: tests/unit/focus/test_thermometer.c
 * what_is_believed. */
enum thermometer_word thermometer_take(struct thermometer *t, double celsius, int64_t now_ms);

#endif
