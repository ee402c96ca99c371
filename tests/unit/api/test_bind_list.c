/* SPDX-License-Identifier: MIT */
/* The text of `bind` as people write it, and what is said of what cannot be meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "bind_list.h"
#include "http.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void every_address(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "all", "*"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct bind_list list = {.count = 5};
		struct err err;
		assert_int_equal(bind_list_parse(texts[i], &list, &err), ERR_OK);
		assert_int_equal(list.count, 0);
		assert_false(bind_list_is_loopback(&list));
	}
}

static void addresses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int count;
		const char *first, *last;
		bool is_loopback;
	} rows[] = {
		{"192.168.1.20", 1, "192.168.1.20", "192.168.1.20", false},
		{"localhost", 1, "127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1, ::1", 2, "127.0.0.1", "::1", true},
		{"[::1]", 1, "::1", "::1", true},
		{" 10.0.0.1\t10.0.0.2,,127.0.0.1 ", 3, "10.0.0.1", "127.0.0.1", false},
		{"fe80::1%eth0 [fe80::1%2]", 2, "fe80::1%eth0", "fe80::1%2", false},
		{"0.0.0.0", 1, "0.0.0.0", "0.0.0.0", false},
		{"::", 1, "::", "::", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bind_list list;
		struct err err;
		assert_int_equal(bind_list_parse(rows[i].text, &list, &err), ERR_OK);
		assert_int_equal(list.count, rows[i].count);
		assert_string_equal(list.at[0].text, rows[i].first);
		assert_string_equal(list.at[list.count - 1].text, rows[i].last);
		assert_int_equal(bind_list_is_loopback(&list), rows[i].is_loopback);
		assert_int_equal(http_bind_read(rows[i].text, &err), ERR_OK);
	}
}

static void what_is_no_address(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"pier3.local", "is no IP address"},
		{"eth0", "is no IP address"},
		{"[::1", "the address alone"},
		{"192.168.1", "no IP address"},
		{"192.168.1.256", "no IP address"},
		{"192.168.1.20:11111", "the port number stands in a line of its own"},
		{"[::1]:11111", "the port number stands in a line of its own"},
		{"\"192.168.1.20\"", "without quotes"},
		{"http://192.168.1.20/", "the IP address alone"},
		{"192.168.1.0/24", "the IP address alone"},
		{"fe80::1", "fe80::1%eth0"},
		{"fe80::1%", "no IP address"},
		{"fe80::1%an_interface_with_a_long_name", "no IP address"},
		{"10.0.0.1 10.0.0.1", "10.0.0.1 stands twice"},
		{"10.0.0.1 0.0.0.0", "0.0.0.0 means every address"},
		{":: 10.0.0.1", ":: means every address"},
		{"all, 10.0.0.1", "\"all\" is no IP address"},
		{"10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9", "at most 8"},
		{" , ", "no IP address"},
		{"a-host-name-that-is-longer-than-any-address-can-be-because-it-has-more-than-sixty-three-characters",
			"no IP address"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bind_list list;
		struct err err;
		assert_int_equal(bind_list_parse(rows[i].text, &list, &err), ERR_INVALID_VALUE);
		assert_int_equal(err.code, ERR_INVALID_VALUE);
		if (strstr(err.text, rows[i].says) == NULL) {
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].text, err.text, rows[i].says);
		}
	}
}

static void as_the_system_wants_them(void **state)
{
	(void)state;
	struct bind_list list;
	struct err err;
	struct sockaddr_storage out;
	assert_int_equal(bind_list_parse("10.1.2.3 fe80::7%lo fe80::7%nosuch0 fe80::7%77", &list, &err), ERR_OK);
	const struct sockaddr_in *v4 = (const void *)&out;
	assert_int_equal(bind_address_of(&list.at[0], 11111, &out), sizeof *v4);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0x0A010203);
	assert_int_equal(ntohs(v4->sin_port), 11111);
	const struct sockaddr_in6 *v6 = (const void *)&out;
	assert_int_equal(bind_address_of(&list.at[1], 80, &out), sizeof *v6);
	assert_int_equal(v6->sin6_scope_id, 1); /* Linux gives loopback the number 1 */
	assert_int_equal(v6->sin6_addr.s6_addr[15], 7);
	assert_int_equal(bind_address_of(&list.at[2], 80, &out), 0);
	assert_int_equal(bind_address_of(&list.at[3], 80, &out), sizeof *v6);
	assert_int_equal(v6->sin6_scope_id, 77);
}

static void what_this_machine_has(void **state)
{
	(void)state;
	struct err err;
	assert_int_equal(http_bind_look("", &err), ERR_OK);
	assert_int_equal(http_bind_look("127.0.0.1", &err), ERR_OK);
	/* TEST-NET-1 of RFC 5737: nobody has it. */
	assert_int_equal(http_bind_look("127.0.0.1, 192.0.2.7", &err), ERR_IO);
	assert_non_null(strstr(err.text, "192.0.2.7"));
	assert_int_equal(http_bind_look("fe80::7%nosuch0", &err), ERR_IO);
	assert_int_equal(http_bind_look("pier", &err), ERR_INVALID_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address),
		cmocka_unit_test(addresses),
		cmocka_unit_test(what_is_no_address),
		cmocka_unit_test(as_the_system_wants_them),
		cmocka_unit_test(what_this_machine_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
