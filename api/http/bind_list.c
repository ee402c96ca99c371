/* SPDX-License-Identifier: MIT */
#include "bind_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "text.h"

static const char between[] = ", \t";

/* Says what is wrong with a word that is no address, and what its author probably wanted to write. */
static enum err_code no_address(const char *word, struct err *err)
{
	const char *colon = strchr(word, ':');
	if (strpbrk(word, "\"'") != NULL) {
		return err_set(err, ERR_INVALID_VALUE, "%s: the address to listen on is written without quotes", word);
	}
	if (strchr(word, '/') != NULL) {
		return err_set(err, ERR_INVALID_VALUE, "\"%s\" is no address to listen on: write the IP address alone, "
			"such as 192.168.1.20, or all", word);
	}
	if (colon != NULL && (word[0] == '[' || strchr(colon + 1, ':') == NULL)) {
		return err_set(err, ERR_INVALID_VALUE, "\"%s\": bind takes the address alone, the port number stands "
			"in a line of its own, port = ...", word);
	}
	return err_set(err, ERR_INVALID_VALUE, "\"%s\" is no IP address: write one that this machine has, such as "
		"192.168.1.20, or all", word);
}

/* Takes brackets away, and makes an address of "localhost". */
static void strip(const char *word, char *out, size_t cap)
{
	size_t len = strlen(word);
	bool bracketed = len > 1 && word[0] == '[' && word[len - 1] == ']';
	if (strcmp(word, "localhost") == 0) {
		snprintf(out, cap, "127.0.0.1");
	} else {
		snprintf(out, cap, "%.*s", (int)(bracketed ? len - 2 : len), bracketed ? word + 1 : word);
	}
}

static enum err_code parse_word(const char *word, struct bind_address *out, struct err *err)
{
	*out = (struct bind_address){.family = AF_INET};
	strip(word, out->text, sizeof out->text);
	if (inet_pton(AF_INET, out->text, out->bytes) == 1) {
		return ERR_OK;
	}
	out->family = AF_INET6;
	char literal[sizeof out->text];
	memcpy(literal, out->text, sizeof literal);
	char *zone = strchr(literal, '%');
	if (zone != NULL) {
		*zone++ = '\0';
		if (*zone == '\0' || strlen(zone) >= sizeof out->zone) {
			return no_address(word, err);
		}
		snprintf(out->zone, sizeof out->zone, "%s", zone);
	}
	if (inet_pton(AF_INET6, literal, out->bytes) != 1) {
		return no_address(word, err);
	}
	const struct in6_addr *v6 = (const void *)out->bytes;
	if (IN6_IS_ADDR_LINKLOCAL(v6) && zone == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "\"%s\" is on every network: name the interface, as in %s%%eth0",
			word, literal);
	}
	return ERR_OK;
}

static enum err_code add(struct bind_list *list, const struct bind_address *address, struct err *err)
{
	if (list->count == BIND_MAX) {
		return err_set(err, ERR_INVALID_VALUE, "at most %d addresses can be listened on; with all there is no "
			"such limit", BIND_MAX);
	}
	for (int i = 0; i < list->count; i++) {
		const struct bind_address *other = &list->at[i];
		if (other->family == address->family && strcmp(other->zone, address->zone) == 0 &&
			memcmp(other->bytes, address->bytes, sizeof other->bytes) == 0) {
			return err_set(err, ERR_INVALID_VALUE, "%s stands twice among the addresses", address->text);
		}
	}
	list->at[list->count++] = *address;
	for (int i = 0; list->count > 1 && i < list->count; i++) {
		if (bind_address_is_any(&list->at[i])) {
			return err_set(err, ERR_INVALID_VALUE, "%s means every address: write it, or all, alone",
				list->at[i].text);
		}
	}
	return ERR_OK;
}

enum err_code bind_list_parse(const char *text, struct bind_list *out, struct err *err)
{
	*out = (struct bind_list){.count = 0};
	if (strcmp(text, "all") == 0 || strcmp(text, "*") == 0) {
		return ERR_OK;
	}
	for (const char *at = text + strspn(text, between); *at != '\0'; at += strspn(at, between)) {
		char word[80];
		struct bind_address address;
		size_t len = strcspn(at, between);
		snprintf(word, sizeof word, "%.*s", (int)len, at);
		bool fits = len < sizeof address.text;
		enum err_code code = fits ? parse_word(word, &address, err) : no_address(word, err);
		if (code == ERR_OK) {
			code = add(out, &address, err);
		}
		if (code != ERR_OK) {
			return code;
		}
		at += len;
	}
	if (out->count == 0 && text[0] != '\0') {
		return no_address(text, err);
	}
	return ERR_OK;
}

socklen_t bind_address_of(const struct bind_address *address, int port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (address->family == AF_INET) {
		struct sockaddr_in *v4 = (void *)out;
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		memcpy(&v4->sin_addr, address->bytes, sizeof v4->sin_addr);
		return sizeof *v4;
	}
	struct sockaddr_in6 *v6 = (void *)out;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	memcpy(&v6->sin6_addr, address->bytes, sizeof v6->sin6_addr);
	uint32_t number = 0;
	if (address->zone[0] != '\0') {
		number = if_nametoindex(address->zone);
		if (number == 0 && !text_parse_u32(span_of(address->zone), &number)) {
			return 0;
		}
	}
	v6->sin6_scope_id = number;
	return sizeof *v6;
}

bool bind_address_is_any(const struct bind_address *address)
{
	static const uint8_t zero[sizeof address->bytes];
	return memcmp(address->bytes, zero, sizeof zero) == 0;
}

bool bind_address_is_loopback(const struct bind_address *address)
{
	const struct in6_addr *v6 = (const void *)address->bytes;
	return address->family == AF_INET ? address->bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(v6) != 0;
}

bool bind_list_is_loopback(const struct bind_list *list)
{
	bool is_loopback = list->count > 0;
	for (int i = 0; i < list->count; i++) {
		is_loopback = is_loopback && bind_address_is_loopback(&list->at[i]);
	}
	return is_loopback;
}

enum err_code http_bind_read(const char *bind_to, struct err *err)
{
	struct bind_list list;
	return bind_list_parse(bind_to, &list, err);
}

enum err_code http_bind_look(const char *bind_to, struct err *err)
{
	struct bind_list list;
	enum err_code code = bind_list_parse(bind_to, &list, err);
	for (int i = 0; i < list.count && code == ERR_OK; i++) {
		struct sockaddr_storage address;
		socklen_t len = bind_address_of(&list.at[i], 0, &address);
		int fd = socket(list.at[i].family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int why = len == 0 ? ENODEV : 0;
		if (fd >= 0 && len > 0 && bind(fd, (const struct sockaddr *)&address, len) != 0) {
			why = errno;
		}
		if (fd >= 0) {
			close(fd);
		}
		if (why != 0) {
			code = err_set(err, ERR_IO, "%s is no address of this machine just now: %s", list.at[i].text,
				strerror(why));
		}
	}
	return code;
}
