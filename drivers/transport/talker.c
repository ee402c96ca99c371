/* SPDX-License-Identifier: MIT */
#include "talker.h"

#include <string.h>

enum err_code talker_refuse(struct exchange *x, int64_t until_ms, struct err *err)
{
	struct span heard;
	enum err_code code = exchange_listen(x, until_ms, &heard, err);
	if (code != ERR_OK) {
		return code;
	}
	for (size_t i = 0; i + 2 < heard.len; i++) {
		if (heard.data[i] == '$' && heard.data[i + 1] == 'G' &&
			memchr("PNLAB", heard.data[i + 2], 5) != NULL) {
			return err_set(err, ERR_PROTOCOL,
				"%s speaks NMEA like a GPS receiver; nothing was sent to it",
				x->pipe->ops->describe(x->pipe));
		}
	}
	return ERR_OK;
}
