/* SPDX-License-Identifier: MIT */
/*
 * What an INDI server has told of its devices: their properties as they are at this moment.  Pure: elements go in
 * (indi_xml.h) and change it, whoever holds it looks.  No locks; indi_line.h guards the one that lives.
 */
#ifndef FOCUSD_INDI_STORE_H
#define FOCUSD_INDI_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "indi_xml.h"

/* Names of devices and properties are cut to this; libindi's own limit is 64 (MAXINDIDEVICE, MAXINDINAME). */
#define INDI_NAME 64

/* Whoever sends more than this is no sane server: what is beyond is left out. */
#define INDI_DEVICES_MAX 64
#define INDI_PROPERTIES_MAX 4096
#define INDI_MEMBERS_MAX 512

enum indi_type { INDI_NUMBER, INDI_SWITCH, INDI_TEXT, INDI_LIGHT, INDI_BLOB };

enum indi_state {
	INDI_IDLE,  /* nothing is known, or what went on was aborted */
	INDI_OK,    /* the last request is done */
	INDI_BUSY,  /* something goes on */
	INDI_ALERT, /* it failed; values are the old ones */
};

/* What DRIVER_INFO.DRIVER_INTERFACE is a sum of (libindi, basedevice.h). */
enum indi_interface { INDI_IS_CAMERA = 2, INDI_IS_FOCUSER = 8 };

struct indi_member {
	char name[INDI_NAME];
	char label[INDI_NAME];
	double value;        /* of a number; NAN when it cannot be read */
	double min, max;     /* of a number; both 0 when the driver does not know them (yet) */
	bool on;             /* of a switch */
	char *text;          /* of a text or light; "" */
};

struct indi_property {
	char device[INDI_NAME];
	char name[INDI_NAME];
	enum indi_type type;
	enum indi_state state;
	bool writable;
	uint64_t updates;    /* definitions and news so far, counted through the whole store: larger is later */
	char busy_since[24]; /* time stamp of the news with which it became Busy, for the last time, UTC of the server's
			      * machine, "2026-11-28T18:12:49"; "" none */
	struct indi_member *member;
	size_t members;
	struct indi_property *next;
};

struct indi_device {
	char name[INDI_NAME];
	unsigned interface;  /* sum of enum indi_interface and others; 0 not told yet */
	uint64_t defined;    /* when the last property was defined or deleted, as updates */
	char message[200];   /* its last words, fit for people; "" none */
	uint64_t told;       /* when it said them, as updates */
};

struct indi_store {
	struct indi_device device[INDI_DEVICES_MAX];
	size_t devices;
	struct indi_property *first;
	size_t properties;
	uint64_t updates;
};

/* What an element did. */
struct indi_news {
	char device[INDI_NAME];   /* which device it was about; "" none, and nothing changed */
	char property[INDI_NAME]; /* "" the whole device */
	bool defined;             /* a definition, or an end of one */
};

/* An empty store needs no making: it is zeroed.  This frees what is in it. */
void indi_store_fini(struct indi_store *s);

/* Takes one element.  Those that mean nothing here (BLOBs' contents, answers to pings, what is not understood) change
 * nothing.  False when out of memory, and then the property is gone. */
bool indi_store_take(struct indi_store *s, const struct indi_element *e, struct indi_news *news);

/* NULL when it is not there.  Good until the next indi_store_take(). */
const struct indi_device *indi_store_device(const struct indi_store *s, const char *device);
const struct indi_property *indi_store_find(const struct indi_store *s, const char *device, const char *property);
const struct indi_member *indi_member_find(const struct indi_property *p, const char *member);

/* A number's value; NAN when there is no such property, member or value. */
double indi_store_number(const struct indi_store *s, const char *device, const char *property, const char *member);
/* Whether that switch is on; false also when it is not there. */
bool indi_store_on(const struct indi_store *s, const char *device, const char *property, const char *member);

/* Reads a number as INDI prints it: with blanks around it, decimal, or sexagesimal ("12:34:56.7", "-0 30;15").  False
 * when it is none. */
bool indi_number_parse(const char *text, double *out);

#endif
