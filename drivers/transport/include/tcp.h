/* SPDX-License-Identifier: MIT */
/* A TCP connection for a driver whose own threads read and write it; others use transport_open(). */
#ifndef FOCUSD_TCP_H
#define FOCUSD_TCP_H

#include <stdint.h>

#include "err.h"

/* Connects to "host:port", "1.2.3.4:port" or "[::1]:port", at most until deadline_ms of clock_real(), names looked up
 * within that time too.  *fd is a non-blocking socket without delay for small writes, which fails when the peer
 * acknowledges nothing for five seconds; it belongs to the caller.  Any thread.  ERR_INVALID_VALUE, ERR_TIMEOUT,
 * ERR_IO with a sentence. */
enum err_code tcp_connect(const char *address, int64_t deadline_ms, int *fd, struct err *err);

#endif
