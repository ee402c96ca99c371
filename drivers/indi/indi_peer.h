/* SPDX-License-Identifier: MIT */
/*
 * One device behind an INDI server, as both drivers begin with it: the line is joined, the device is chosen, its
 * driver is asked to connect to its hardware, and its properties are waited for.  On the device's worker.
 *
 * A device that is connected already is used as it is, and none is disconnected at the end, because other clients of
 * the server may be using it.
 */
#ifndef FOCUSD_INDI_PEER_H
#define FOCUSD_INDI_PEER_H

#include "indi_line.h"

/* Where the device that the driver serves stands; in the driver's context, zeroed. */
struct indi_peer {
	const struct driver_host *host;
	struct indi_line *line;       /* NULL: not open */
	struct indi_ear ear;
	bool listens;
	char address[INDI_ADDRESS];
	char device[INDI_NAME];       /* "" not chosen yet */
	enum indi_interface kind;
	bool asked;                   /* to connect, */
	uint64_t asked_at;            /* at this count of the store's updates */
	char unanswered[INDI_NAME];   /* the property that was set and has not been answered; "" none */
	uint64_t unanswered_since;    /* count of the store's updates */
	char answered[INDI_NAME];     /* the one that was answered late and is not set anew; "" none */
};

/* Joins the line.  wanted is the configured device, "" for the only one of this kind. */
enum err_code indi_peer_open(struct indi_peer *peer, const char *port, const char *wanted, enum indi_interface kind,
	const struct driver_host *host, struct err *err);
/* In any state; the line ends with its last user. */
void indi_peer_close(struct indi_peer *peer);

/* Goes on until the device is connected and ready(store, device) is true and its driver has defined nothing more for a
 * moment, at most until deadline_ms of the real clock; may be called again to go on where it was.  ERR_TIMEOUT says
 * what is still waited for; ERR_IO also that there is no such device, and ERR_INVALID_VALUE that there are several,
 * with their names; ERR_REFUSED that the driver does
 * not get at its hardware, in its own words; ERR_IO. */
enum err_code indi_peer_up(struct indi_peer *peer,
	bool (*ready)(const struct indi_store *store, const char *device), int64_t deadline_ms, struct err *err);

/* What posted() of both drivers does. */
enum err_code indi_peer_posted(struct indi_peer *peer, struct err *err);

/* ERR_IO with a sentence when the device has gone from the server, or is not connected to its hardware any more. */
enum err_code indi_peer_check(const struct indi_peer *peer, const struct indi_store *store, struct err *err);

/* What the device said last, when that was after `since` (a count of the store's updates); "it does not say why"
 * otherwise.  Good as long as the store is looked at. */
const char *indi_last_words(const struct indi_store *store, const char *device, uint64_t since);

/* Lists the names of the devices of this kind (0: of all) as 'A', 'B'; returns how many there are. */
size_t indi_list(const struct indi_store *store, unsigned kind, char *out, size_t cap);

#endif
