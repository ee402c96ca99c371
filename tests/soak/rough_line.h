/* SPDX-License-Identifier: MIT */
/*
 * Emulated focusers on lines that do everything bad lines do, by the seed, and a book of every step that
 * the motors make, with the mechanism behind them.  One thread serves all lines.
 */
#ifndef FOCUSD_ROUGH_LINE_H
#define FOCUSD_ROUGH_LINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "emulator.h"

#define ROUGH_LINES 16

enum rough_fault {
	ROUGH_LOST_REPLY,
	ROUGH_HALF_REPLY,
	ROUGH_LOST_DIGIT,
	ROUGH_GARBAGE,
	ROUGH_LATE_REPLY,
	ROUGH_TWICE,
	ROUGH_LOST_COMMAND,
	ROUGH_UNPLUGGED,
	ROUGH_STALL,
	ROUGH_FAULTS,
};
extern const char *const rough_fault_name[ROUGH_FAULTS];

struct rough_packet {
	int64_t due_ms;
	size_t len;
	char data[64];
};

struct rough_line {
	char link[96];         /* what to configure as port */
	int backlash;              /* of the mechanism, steps */
	const struct emulator_kind *kind;
	struct emulator_settings settings;
	void *device;
	struct clock *clock;   /* the device's: stands still while the motor is stuck */
	int64_t last_ms;
	int64_t stuck_until_ms, replug_ms;
	int master, slave;
	struct rough_packet packet[8];
	int packets;
	char command[32];
	size_t have;
	uint64_t luck;
	bool quiet;            /* no faults any more */
	/* The book. */
	int64_t motor;
	int64_t carriage;      /* where the mechanism is, pushed by the one face of the nut or the other */
	int64_t travelled;
	int commands;
	int faults[ROUGH_FAULTS];
};

struct rough_lines {
	struct rough_line line[ROUGH_LINES];
	int count;
	pthread_mutex_t lock;
	pthread_t thread;
	bool quit;
};

/* Starts count lines with links below dir.  Fails the test when it cannot. */
void rough_start(struct rough_lines *all, int count, const char *dir, uint64_t seed, int backlash);
void rough_stop(struct rough_lines *all);

/* Where the motor truly stands, and the mechanism. */
void rough_truth(struct rough_lines *all, int i, int64_t *motor, int64_t *carriage);

/* A hand at the box drives the motor there; false when it is stuck, unplugged, or moving. */
bool rough_by_hand(struct rough_lines *all, int i, int32_t target);

/* The end of all faults on a line; what is unplugged comes back. */
void rough_calm(struct rough_lines *all, int i);

#endif
