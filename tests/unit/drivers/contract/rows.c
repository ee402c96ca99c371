/* SPDX-License-Identifier: MIT */
/*
 * One row for each driver with a device of its own; bytes of a halt from the protocol documents.  The driver `manual`
 * has no row, because the contract is about motors and lines and it has neither: that it never moves and never guesses
 * a position is tried by tests/unit/drivers/test_manual.c and tests/http/test_manual.py.
 */
#include "rows.h"

static const struct contract_relative moonlite[] = {
	{"no-gv", "no-version", 0},
	{"no-gn", "no-target", 0},
	{"missing-hash", "", 0},
	{"missing-hash missing-hash-gi", "no-hash", 0},
	{"double-hash", "", 0},
	{"width8", "", 0},
	{"width8 double-hash lower-case", "", 0},
	{"one-digit-gi", "", 0},
	{"lower-case", "", 0},
	{"lost-target", "", 0},
	{"wrap16", "", 0},
	{"sn-moves", "", 0},
	{"sn-moves", "sn-starts", 0},
	{"ignore-while-moving", "", 0},
	{"sn-moves ignore-while-moving offset-7", "lands-beside", 7},
	{"offset--3", "lands-beside", -3},
	{"no-temperature", "", 0},
	{"no-probe", "", 0},
	{"constant-temperature", "", 0},
	{NULL, NULL, 0},
};

static const struct contract_relative myfocuserpro2[] = {
	{"two-digit-moving", "", 0},
	{"old-firmware", "", 0},
	{"no-probe", "", 0},
	{"retargets", "", 0},
	{NULL, NULL, 0},
};

static const struct contract_relative celestron[] = {
	{"bare-ack", "", 0},
	{"echo", "", 0},
	{"foreign", "", 0},
	{"hand-controller", "hand-controller", 0},
	{NULL, NULL, 0},
};

const struct contract_row contract_rows[] = {
	{"moonlite", "moonlite", sizeof ":FQ#" - 1, 7, moonlite},
	{"myfocuserpro2", "myfocuserpro2", sizeof ":27#" - 1, 7, myfocuserpro2},
	/* 3B 04 20 12 24 00 and a checksum. */
	{"celestron", "celestron", 7, -40, celestron},
	{NULL, NULL, 0, 0, NULL},
};
