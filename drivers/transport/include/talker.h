/* SPDX-License-Identifier: MIT */
/*
 * Devices that talk unasked are no focusers, and must not be sent a byte: what a focuser takes for a
 * question may be an order to them.
 */
#ifndef FOCUSD_TALKER_H
#define FOCUSD_TALKER_H

#include <stdint.h>

#include "exchange.h"

/* Listens until until_ms (200 ms after the port was opened is enough), then says whether a byte may
 * be sent.  ERR_PROTOCOL with a sentence when it speaks NMEA as GPS receivers do; the boot text of a
 * focuser is fine.  ERR_IO. */
enum err_code talker_refuse(struct exchange *x, int64_t until_ms, struct err *err);

#endif
