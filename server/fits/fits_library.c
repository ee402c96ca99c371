/* SPDX-License-Identifier: MIT */
#include "fits_library.h"

#include <pthread.h>

#include "late.h"

struct fits_library fits_library;

static const struct late_symbol symbols[] = {
	{"ffdkopn", &fits_library.open_diskfile},
	{"ffclos", &fits_library.close_file},
	{"ffmahd", &fits_library.movabs_hdu},
	{"ffgiprll", &fits_library.get_img_paramll},
	{"ffgiet", &fits_library.get_img_equivtype},
	{"ffgkey", &fits_library.read_keyword},
	{"ffgpxvll", &fits_library.read_pixll},
	{"ffgerr", &fits_library.get_errstatus},
	{"ffgmsg", &fits_library.read_errmsg},
	{"ffcmsg", &fits_library.clear_errmsg},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct err reason;

static void load(void)
{
	late_load(FITS_LIBRARY_FILE, symbols, sizeof symbols / sizeof symbols[0], &reason);
}

enum err_code fits_library_load(struct err *err)
{
	pthread_once(&once, load);
	return reason.code == ERR_OK ? ERR_OK : err_copy(err, &reason);
}
