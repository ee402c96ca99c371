/* SPDX-License-Identifier: MIT */
/*
 * The contract suite drives every registered focuser driver against its emulated device, the same tests
 * for all.  A new driver adds a row to rows.c.
 */
#ifndef FOCUSD_CONTRACT_ROWS_H
#define FOCUSD_CONTRACT_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* A device whose moves arrive all the same. */
struct contract_relative {
	const char *faults; /* of the line or the kind, separated by blanks; "" none */
	const char *quirks; /* what the user has to say of it; "" nothing */
	int beside;         /* where it stops, steps from the target */
};

struct contract_row {
	const char *driver; /* as registered */
	const char *kind;   /* of the emulator */
	size_t halt_bytes;  /* that a halt sends */
	int wrong_steps;    /* beside its target with the fault wrong-position */
	/* Faults of the kind with which moves arrive; ended by NULL.  Faults that all kinds have are
	 * tried without being named here. */
	const struct contract_relative *relatives;
};

/* All rows, ended by a NULL driver.  One whose driver is not registered is passed over. */
extern const struct contract_row contract_rows[];

#endif
