/* SPDX-License-Identifier: MIT */
/*
 * Pictures that INDI's driver has compressed: ".fits.z" is one zlib stream around a plain file and is unpacked as it
 * comes; ".fits.fz" has compressed tiles and ".fits.gz" is a file for other programs: these are kept in memory and read
 * by the child process that reads such files (server/fits), because only a large library knows all of their forms.
 */
#ifndef FOCUSD_INDI_PACKED_H
#define FOCUSD_INDI_PACKED_H

#include "indi_fits.h"

struct indi_packed;

/* Before each picture; *p is made when it is NULL.  What is unpacked goes into `fits`.  ERR_PROTOCOL when the format is
 * none of these, ERR_NOMEM. */
enum err_code indi_packed_begin(struct indi_packed **p, const char *format, struct indi_fits *fits, struct err *err);
/* The next bytes.  ERR_PROTOCOL when they are damaged, ERR_NOMEM. */
enum err_code indi_packed_feed(struct indi_packed *p, const void *data, size_t len, struct err *err);
/* After the last: may take as long as the file takes to read; ends at once with ERR_CANCELLED when give_up becomes
 * readable. */
enum err_code indi_packed_end(struct indi_packed *p, int give_up, struct err *err);
void indi_packed_destroy(struct indi_packed *p);

#endif
