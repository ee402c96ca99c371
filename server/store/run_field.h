/* SPDX-License-Identifier: MIT */
/* How what a run has learned of the field is written into a run object.  Private to the room. */
#ifndef FOCUSD_RUN_FIELD_H
#define FOCUSD_RUN_FIELD_H

#include "json.h"
#include "run.h"

/* run_field_json() as a value inside another text; null when nothing is known. */
void run_field_write(struct json_writer *w, const struct run_field *field, bool with_train);

#endif
