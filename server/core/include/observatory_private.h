/* SPDX-License-Identifier: MIT */
/* What the rest of core needs of the observatory and nobody else. */
#ifndef FOCUSD_OBSERVATORY_PRIVATE_H
#define FOCUSD_OBSERVATORY_PRIVATE_H

#include "observatory.h"

struct autofocus;

/* The autofocus of a focuser; NULL when there is no such focuser. */
struct autofocus *observatory_autofocus(const struct observatory *obs, int focuser);

/* Made after all devices, before their workers start; ended before they do. */
struct autofocus *autofocus_create(struct observatory *obs, int focuser);
enum err_code autofocus_begin(struct autofocus *af, struct err *err);
/* Interrupts a run as a halt does: nothing moves any more.  Joins the thread. */
void autofocus_end(struct autofocus *af);
void autofocus_destroy(struct autofocus *af);

#endif
