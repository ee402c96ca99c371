/* SPDX-License-Identifier: MIT */
/*
 * The functions of the FITS library, which is loaded when the first file is read.  Behind it stand some twenty others,
 * for files on the network that focusd never opens.
 */
#ifndef FOCUSD_FITS_LIBRARY_H
#define FOCUSD_FITS_LIBRARY_H

#include <fitsio.h>

#include "err.h"

/* Each under the long name of the library's manual; the library's own headers give the types. */
struct fits_library {
	__typeof__(&ffdkopn) open_diskfile;
	__typeof__(&ffclos) close_file;
	__typeof__(&ffmahd) movabs_hdu;
	__typeof__(&ffgiprll) get_img_paramll;
	__typeof__(&ffgiet) get_img_equivtype;
	__typeof__(&ffgkey) read_keyword;
	__typeof__(&ffgpxvll) read_pixll;
	__typeof__(&ffgerr) get_errstatus;
	__typeof__(&ffgmsg) read_errmsg;
	__typeof__(&ffcmsg) clear_errmsg;
};

/* Constant once fits_library_load() has succeeded. */
extern struct fits_library fits_library;

/* Loads the library; nothing happens when it is there. It is called before the child is made, so that every child finds
 * it loaded and no child calls the loader. Any thread. ERR_IO with a sentence when it is not installed. */
enum err_code fits_library_load(struct err *err);

#endif
