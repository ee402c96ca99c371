/* SPDX-License-Identifier: MIT */
/*
 * Pictures that are no plain FITS.  ".z" (zlib) and ".gz" are unpacked as they come.  What then is plain FITS goes on
 * to its reader; everything else, compressed tiles (".fits.fz") and raw files of cameras (".cr2", ".nef", ".dng" and
 * so on), is kept in memory and read by the child process that reads such files (server/fits), because only large
 * libraries know all of their forms.
 */
#ifndef FOCUSD_INDI_PACKED_H
#define FOCUSD_INDI_PACKED_H

#include "indi_fits.h"

struct indi_packed;

/* Before each picture; *p is made when it is NULL.  format is INDI's, ".fits.z" for example.  What is unpacked goes
 * into `fits`.  ERR_NOMEM. */
enum err_code indi_packed_begin(struct indi_packed **p, const char *format, struct indi_fits *fits, struct err *err);
/* The next bytes.  ERR_PROTOCOL when they are damaged, ERR_NOMEM. */
enum err_code indi_packed_feed(struct indi_packed *p, const void *data, size_t len, struct err *err);
/* After the last: may take as long as the file takes to read; ends at once with ERR_CANCELLED when give_up becomes
 * readable.  ERR_PROTOCOL with a sentence when it cannot be read. */
enum err_code indi_packed_end(struct indi_packed *p, int give_up, struct err *err);
void indi_packed_destroy(struct indi_packed *p);

#endif
