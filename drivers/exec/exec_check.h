/* SPDX-License-Identifier: MIT */
/* What `focusd --check` asks of a command without running it. */
#ifndef FOCUSD_EXEC_CHECK_H
#define FOCUSD_EXEC_CHECK_H

#include <stddef.h>

#include "device_settings.h"
#include "err.h"

/* The driver's look_command: ERR_INVALID_VALUE for command and frame as they are written, ERR_IO when there is no such
 * program at this moment. */
enum err_code exec_look(const struct camera_port *port, struct err *err);

/* The driver's service_needs; "" for a command that cannot be read. */
void exec_service_needs(const struct camera_port *port, char *out, size_t cap);

#endif
