/* SPDX-License-Identifier: MIT */
/* Grey pictures of the netpbm family (P5), which nearly every tool can write.  Called in the child process only. */
#ifndef FOCUSD_PGM_PARSE_H
#define FOCUSD_PGM_PARSE_H

#include "fits_parse.h"

/* Does what fits_parse() does, for a PGM file: 8 bits an element up to a maximum of 255, else 16 bits with the larger
 * byte first (pgm(5)). The maximum is where it saturates. Nothing is known of the focuser but what the name says. */
enum err_code pgm_parse(const char *path, const struct fits_room *room, struct fits_frame *out, struct err *err);

#endif
