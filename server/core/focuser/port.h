/* SPDX-License-Identifier: MIT */
/*
 * Where a focuser's device is now: the port that its configured name means, what is remembered of it
 * in the state directory (port-N.json), and whether the device that answers is still the same.
 * On the device's worker, without its lock.
 */
#ifndef FOCUSD_FOCUSER_PORT_H
#define FOCUSD_FOCUSER_PORT_H

#include "device_private.h"
#include "ports.h"

/* What is known of the device's port; written by port.c on the worker. */
struct port_book {
	struct port_identity known; /* remembered */
	struct port_identity fresh; /* of the port that is open */
	bool loaded;                /* known was read from the state directory */
	bool proven;                /* the open port is the remembered one by its serial number */
};

/* Decides which port to open and writes it to *out, a copy of the configured one.  again: the link was
 * up and is being reopened.  Errors are sentences for people. */
enum err_code port_choose(struct device *dev, bool again, struct focuser_port *out,
	struct err *err);

/* Whether what answered is the device that was there before.  Another answer is ERR_PROTOCOL while the
 * link is being reopened (the next try may have read it better), else a warning.  When it is the
 * same, or accepted, remembers it. */
enum err_code port_verify(struct device *dev, bool again, const struct focuser_caps *caps,
	struct err *err);

/* A port came or went, from the thread that watches them; name as in struct ports_event.  With the lock
 * held. */
void port_came(struct device *dev);
void port_went(struct device *dev, const char *name);

#endif
