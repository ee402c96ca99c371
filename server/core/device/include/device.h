/* SPDX-License-Identifier: MIT */
/*
 * What is true of every device of any kind: identity, the link to the hardware, which clients are connected, and the
 * lease of a job. Everything here answers from memory; nothing waits for hardware. Any thread.
 */
#ifndef FOCUSD_DEVICE_H
#define FOCUSD_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct device;

struct device_life;

/* One kind of device: a constant row, which is compared by its address.  &focuser_kind (focuser.h) and
 * &camera_kind (camera.h) are the rows that there are. */
struct device_kind {
	const char *name;        /* "focuser": in addresses, in `source`, in JSON */
	const char *alpaca_type; /* "Focuser": DeviceType of ConfiguredDevices */
	const struct device_life *life; /* how one is made and ended; for core alone, see device_private.h */
};

/* Constant for the life of the server. */
struct device_info {
	const struct device_kind *kind;
	int number;              /* from 0 on, within its kind */
	char source[16];         /* "focuser.0", for logs, metrics and JSON */
	char name[64];
	char unique_id[37];      /* UUID text, kept in the state directory */
	char driver[32];         /* "moonlite" */
	char driver_title[64];
	char where[256];         /* port or path as configured; "" for simulators */
	bool announced;          /* stands in the list that programs choose from (configureddevices) */
};

/* The link to the hardware. */
enum device_link {
	LINK_DOWN,     /* closed */
	LINK_OPENING,  /* connecting */
	LINK_UP,
	LINK_LOST,     /* it was up and is being reopened */
	LINK_CLOSING,
};

/* Who asks: the peer's address and ClientID (0 when none was sent). */
struct client {
	char peer[64];
	uint32_t id;
};

const struct device_info *device_info(const struct device *dev);

/* A number that grows with each change of the device's state: a cheap "did anything change?". */
uint64_t device_version(struct device *dev);

enum device_link device_link(struct device *dev);
const char *device_link_name(enum device_link link); /* "down", "opening", "up", "lost", "closing" */

/* Notes that the client is alive; called for every request to the device. */
void device_touch(struct device *dev, const struct client *client);

/* What GET connected answers this client: the link is up (or being reopened for less than 60 s) and
 * the client has not said False since it opened. */
bool device_connected(struct device *dev, const struct client *client);

/* What GET connecting answers: true while the link is opened or closed. For 5 s after a failed connect everybody gets
 * its error, then false. */
enum err_code device_connecting(struct device *dev, bool *connecting, struct err *err);

/* Notes for which devices of other servers this one is borrowed: the value of BORROWERS_HEADER (borrowers.h), which
 * takes the place of the one before.  What is no such list is passed over. */
void device_borrowed_by(struct device *dev, const char *unique_ids);

/* Starts connecting for this client and returns; ERR_OK also when connected already.  *ticket
 * names the attempt for device_connect_done(). */
enum err_code device_connect(struct device *dev, const struct client *client, uint64_t *ticket,
	struct err *err);

/* Whether that attempt is over: true with *result ERR_OK or the error (err filled).  Publishes an
 * event when it turns true.  Without an answer 4.5 s after device_connect() it turns true with
 * ERR_TIMEOUT while the tries go on behind `connecting`. */
bool device_connect_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err);

/* Notes that the client said False: from this moment on it reads that it is disconnected. The link itself closes when
 * no other client has been heard of for ten minutes; *closing says whether it does (wait for LINK_DOWN). */
enum err_code device_disconnect(struct device *dev, const struct client *client, bool *closing,
	struct err *err);

/* ERR_NOT_CONNECTED with a sentence unless device_connected() for this client. */
enum err_code device_require(struct device *dev, const struct client *client, struct err *err);

/* The last failure of an operation or the link, for people; "" when there was none since the last
 * success.  Copies at most cap bytes. */
void device_last_failure(struct device *dev, char *out, int cap);

/* Failed exchanges with the hardware since the server started, by code (retries that succeeded in
 * the end included). */
void device_error_counts(struct device *dev, uint64_t by_code[ERR_CODE_COUNT]);

/* Makes the device stop what it does, as at the end of the server, and keep its link; whatever holds its lease is
 * interrupted. Fine in every state of the link. */
void device_quiet(struct device *dev);

#endif
