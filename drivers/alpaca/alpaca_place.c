/* SPDX-License-Identifier: MIT */
#include "alpaca_place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* Device numbers are at most this; the Alpaca standard allows 32 bits, and nobody has a million focusers. */
#define NUMBER_MAX 999999

static enum err_code not_understood(const char *port, struct err *err)
{
	return err_set(err, ERR_INVALID_VALUE, "port = %.80s is no Alpaca server: write HOST:PORT/NUMBER, such as "
		"192.168.1.20:11111/0, or auto", port);
}

/* Digits alone, from low to high. */
static bool read_number(struct span text, uint32_t low, uint32_t high, int *out)
{
	uint32_t number;
	if (!text_parse_u32(text, &number) || number < low || number > high) {
		return false;
	}
	*out = (int)number;
	return true;
}

static const char *after_scheme(const char *port)
{
	static const char *const schemes[] = {"http://", "alpaca://", "tcp://"};
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		if (strncmp(port, schemes[i], strlen(schemes[i])) == 0) {
			return port + strlen(schemes[i]);
		}
	}
	return port;
}

/* Letters, digits and what else stands in names and addresses: nothing that would mean something in a URL. */
static bool host_is_plain(const char *host, bool bracketed)
{
	for (const char *p = host; *p != '\0'; p++) {
		bool plain = isalnum((unsigned char)*p) || *p == '.' || *p == '-' || *p == '_';
		if (!plain && !(bracketed && (*p == ':' || *p == '%'))) {
			return false;
		}
	}
	return host[0] != '\0';
}

/* HOST[:PORT], or [ADDRESS][:PORT]. */
static bool read_host(struct span text, struct alpaca_place *out)
{
	const char *end = text.data + text.len;
	const char *host = text.data;
	const char *host_end;
	bool bracketed = text.len > 0 && host[0] == '[';
	if (bracketed) {
		host++;
		host_end = memchr(host, ']', (size_t)(end - host));
	} else {
		host_end = memchr(host, ':', (size_t)(end - host));
		host_end = host_end != NULL ? host_end : end;
	}
	if (host_end == NULL || (size_t)(host_end - host) >= sizeof out->host) {
		return false;
	}
	snprintf(out->host, sizeof out->host, "%.*s", (int)(host_end - host), host);
	const char *rest = bracketed ? host_end + 1 : host_end;
	out->port = ALPACA_PORT;
	if (rest < end) {
		struct span digits = {rest + 1, (size_t)(end - rest - 1)};
		if (*rest != ':' || !read_number(digits, 1, 65535, &out->port)) {
			return false;
		}
	}
	return host_is_plain(out->host, bracketed);
}

static enum err_code read_device(const char *device, struct alpaca_place *out, struct err *err)
{
	int number;
	if (device[0] == '\0') {
		return ERR_OK;
	}
	if (!read_number(span_of(device), 0, NUMBER_MAX, &number)) {
		snprintf(out->unique_id, sizeof out->unique_id, "%s", device);
		return ERR_OK;
	}
	if (out->number >= 0 && out->number != number) {
		return err_set(err, ERR_INVALID_VALUE, "port says device %d and device says %d: one of them is wrong",
			out->number, number);
	}
	out->number = number;
	return ERR_OK;
}

enum err_code alpaca_place_read(const char *port, const char *device, struct alpaca_place *out, struct err *err)
{
	*out = (struct alpaca_place){.number = -1, .discovery_port = ALPACA_DISCOVERY_PORT, .port = ALPACA_PORT};
	if (strncmp(port, "auto", 4) == 0 && (port[4] == '\0' || port[4] == ':')) {
		out->search = true;
		if (port[4] == ':' && !read_number(span_of(port + 5), 1, 65535, &out->discovery_port)) {
			return not_understood(port, err);
		}
		return read_device(device, out, err);
	}
	const char *at = after_scheme(port);
	size_t len = strcspn(at, "/");
	struct span number = {at + len, strlen(at + len)};
	if (!read_host((struct span){at, len}, out)) {
		return not_understood(port, err);
	}
	/* A slash alone at the end is what people copy from a browser. */
	if (number.len > 1) {
		number = (struct span){number.data + 1, number.len - 1};
		if (!read_number(number, 0, NUMBER_MAX, &out->number)) {
			return not_understood(port, err);
		}
	}
	return read_device(device, out, err);
}

enum err_code alpaca_place_check(const char *port, struct err *err)
{
	struct alpaca_place place;
	return alpaca_place_read(port, "", &place, err);
}
