/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum err_code (err_set)(struct err *err, enum err_code code, const char *fmt, ...)
{
	if (err == NULL) {
		return code;
	}
	/* The arguments may point into err->text itself, so print beside it first. */
	char text[sizeof err->text];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text[0] = '\0';
	} else if ((size_t)n >= sizeof text) {
		/* Do not leave half a UTF-8 character at the cut. */
		size_t end = sizeof text - 1;
		while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80) {
			end--;
		}
		if (end > 0 && (unsigned char)text[end - 1] >= 0xC0) {
			end--;
		}
		text[end] = '\0';
	}
	err->code = code;
	err->number = 0;
	memcpy(err->text, text, sizeof text);
	return code;
}

enum err_code err_copy(struct err *err, const struct err *from)
{
	if (err != NULL && err != from) {
		*err = *from;
	}
	return from->code;
}

/* The two switches have no default on purpose: the compiler names a code that was forgotten. */
const char *err_name(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return "ok";
	case ERR_NOT_IMPLEMENTED:
		return "not_implemented";
	case ERR_INVALID_VALUE:
		return "invalid_value";
	case ERR_VALUE_NOT_SET:
		return "value_not_set";
	case ERR_NOT_CONNECTED:
		return "not_connected";
	case ERR_INVALID_OPERATION:
		return "invalid_operation";
	case ERR_ACTION_NOT_IMPLEMENTED:
		return "action_not_implemented";
	case ERR_CANCELLED:
		return "cancelled";
	case ERR_INTERNAL:
		return "internal";
	case ERR_NOMEM:
		return "out_of_memory";
	case ERR_IO:
		return "io";
	case ERR_TIMEOUT:
		return "timeout";
	case ERR_PROTOCOL:
		return "protocol";
	case ERR_REFUSED:
		return "refused";
	case ERR_STALLED:
		return "stalled";
	case ERR_NO_STARS:
		return "no_stars";
	case ERR_BAD_FIT:
		return "bad_fit";
	case ERR_NO_MINIMUM:
		return "no_minimum";
	case ERR_VALIDATION:
		return "validation";
	case ERR_FOCUSER:
		return "focuser";
	case ERR_CAMERA:
		return "camera";
	case ERR_CODE_COUNT:
		break;
	}
	return "unknown";
}

int err_alpaca_number(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return 0;
	case ERR_NOT_IMPLEMENTED:
		return 0x400;
	case ERR_INVALID_VALUE:
		return 0x401;
	case ERR_VALUE_NOT_SET:
		return 0x402;
	case ERR_NOT_CONNECTED:
		return 0x407;
	case ERR_INVALID_OPERATION:
		return 0x40B;
	case ERR_ACTION_NOT_IMPLEMENTED:
		return 0x40C;
	case ERR_CANCELLED:
		return 0x40E;
	case ERR_INTERNAL:
	case ERR_NOMEM:
	case ERR_CODE_COUNT:
		break;
	case ERR_IO:
		return 0x500;
	case ERR_TIMEOUT:
		return 0x501;
	case ERR_PROTOCOL:
		return 0x502;
	case ERR_REFUSED:
		return 0x503;
	case ERR_STALLED:
		return 0x504;
	case ERR_NO_STARS:
		return 0x510;
	case ERR_BAD_FIT:
		return 0x511;
	case ERR_NO_MINIMUM:
		return 0x512;
	case ERR_VALIDATION:
		return 0x513;
	case ERR_FOCUSER:
		return 0x514;
	case ERR_CAMERA:
		return 0x515;
	}
	return 0x4FF;
}

int err_number(const struct err *err)
{
	return err->number != 0 ? err->number : err_alpaca_number(err->code);
}
