/* SPDX-License-Identifier: MIT */
/*
 * Expectations: the elements are those of indiserver 1.9.9, as seen on the wire, and of the protocol's description
 * (INDI, E. C. Downey, 2007); base64 is that of RFC 4648, section 10, whose vectors are here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "indi_base64.h"
#include "indi_line.h"
#include "indi_store.h"
#include "indi_xml.h"
#include "text.h"

/* What came out of a stream. */
struct heard {
	struct indi_store store;
	struct indi_news news;
	int elements;
	char blob[200];
	size_t blob_len;
	int blobs, blob_ends;
	char format[16];
	struct err err;
};

static void on_element(void *ctx, const struct indi_element *e)
{
	struct heard *h = ctx;
	h->elements++;
	assert_true(indi_store_take(&h->store, e, &h->news));
}

static void on_blob(void *ctx, const struct indi_element *e)
{
	struct heard *h = ctx;
	h->blobs++;
	snprintf(h->format, sizeof h->format, "%s", indi_element_attr(e, indi_element_children(e), "format"));
}

static void on_blob_text(void *ctx, const char *text, size_t len)
{
	struct heard *h = ctx;
	assert_true(h->blob_len + len < sizeof h->blob);
	memcpy(h->blob + h->blob_len, text, len);
	h->blob_len += len;
}

static void on_blob_end(void *ctx)
{
	struct heard *h = ctx;
	h->blob_ends++;
}

static const struct indi_xml_handlers handlers = {
	.element = on_element, .blob_begin = on_blob, .blob_text = on_blob_text, .blob_end = on_blob_end};

/* Feeds the text in pieces of this many bytes. */
static enum err_code hear(struct heard *h, const char *text, size_t piece)
{
	struct indi_xml *x = NULL;
	*h = (struct heard){.elements = 0};
	assert_int_equal(indi_xml_create(&handlers, h, &x, &h->err), ERR_OK);
	size_t len = strlen(text);
	enum err_code code = ERR_OK;
	for (size_t at = 0; at < len && code == ERR_OK; at += piece) {
		code = indi_xml_feed(x, text + at, len - at < piece ? len - at : piece, &h->err);
	}
	indi_xml_destroy(x);
	return code;
}

static const char session[] =
	"<pingReply uid=\"7\"/>\n"
	"<defSwitchVector device=\"Focuser Simulator\" name=\"CONNECTION\" label=\"Connection\" group=\"Main Control\" "
	"state=\"Idle\" perm=\"rw\" rule=\"OneOfMany\" timeout=\"60\" timestamp=\"2026-11-28T18:12:49\">\n"
	"    <defSwitch name=\"CONNECT\" label=\"Connect\">\nOff\n    </defSwitch>\n"
	"    <defSwitch name=\"DISCONNECT\" label=\"Disconnect\">\nOn\n    </defSwitch>\n"
	"</defSwitchVector>\n"
	"<defTextVector device=\"Focuser Simulator\" name=\"DRIVER_INFO\" state=\"Idle\" perm=\"ro\" "
	"timestamp=\"2026-11-28T18:12:49\">\n"
	"    <defText name=\"DRIVER_NAME\" label='Name > \"title\"'>\nA &lt;b&gt; &amp; c\n    </defText>\n"
	"    <defText name=\"DRIVER_INTERFACE\" label=\"Interface\">\n8\n    </defText>\n"
	"</defTextVector>\n"
	"<defNumberVector device=\"Focuser Simulator\" name=\"ABS_FOCUS_POSITION\" state=\"Ok\" perm=\"rw\" "
	"timeout=\"60\">\n"
	"    <defNumber name=\"FOCUS_ABSOLUTE_POSITION\" label=\"Steps\" format=\"%.f\" min=\"0\" max=\"100000\" "
	"step=\"1000\">\n50000\n    </defNumber>\n"
	"</defNumberVector>\n"
	"<setSwitchVector device=\"Focuser Simulator\" name=\"CONNECTION\" state=\"Ok\" "
	"timestamp=\"2026-11-28T18:12:51\">\n"
	"    <oneSwitch name=\"CONNECT\">\nOn\n    </oneSwitch>\n"
	"    <oneSwitch name=\"DISCONNECT\">\nOff\n    </oneSwitch>\n"
	"</setSwitchVector>\n"
	"<setNumberVector device=\"Focuser Simulator\" name=\"ABS_FOCUS_POSITION\" state=\"Busy\" "
	"timestamp=\"2026-11-28T18:12:51\"/>\n"
	"<setNumberVector device=\"Focuser Simulator\" name=\"ABS_FOCUS_POSITION\" state=\"Busy\" "
	"timestamp=\"2026-11-28T18:12:52\"/>\n"
	"<setBLOBVector device=\"CCD\" name=\"CCD1\" state=\"Ok\">\n"
	"  <oneBLOB name=\"CCD1\" size=\"6\" enclen=\"9\" format=\".fits\">\nZm9v\nYmFy\n  </oneBLOB>\n"
	"</setBLOBVector>\n"
	"<message device=\"Focuser Simulator\" timestamp=\"2026-11-28T18:12:52\" "
	"message=\"[ERROR] it is stuck\"/>\n";

static void a_session_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= sizeof session; piece = piece < 90 ? piece + 1 : sizeof session + piece) {
		struct heard h;
		assert_int_equal(hear(&h, session, piece), ERR_OK);
		const char *device = "Focuser Simulator";
		assert_int_equal(h.elements, 9);
		assert_true(indi_store_on(&h.store, device, "CONNECTION", "CONNECT"));
		assert_false(indi_store_on(&h.store, device, "CONNECTION", "DISCONNECT"));
		const struct indi_property *p = indi_store_find(&h.store, device, "ABS_FOCUS_POSITION");
		assert_non_null(p);
		assert_int_equal(p->state, INDI_BUSY);
		assert_true(p->writable);
		assert_true(p->member[0].value == 50000.0);
		assert_true(p->member[0].max == 100000.0);
		p = indi_store_find(&h.store, device, "DRIVER_INFO");
		assert_false(p->writable);
		assert_string_equal(indi_member_find(p, "DRIVER_NAME")->text, "A <b> & c");
		assert_string_equal(p->member[0].label, "Name > \"title\"");
		assert_int_equal(indi_store_device(&h.store, device)->interface, INDI_IS_FOCUSER);
		assert_string_equal(indi_store_device(&h.store, device)->message, "[ERROR] it is stuck");
		assert_string_equal(indi_store_find(&h.store, device, "ABS_FOCUS_POSITION")->busy_since,
			"2026-11-28T18:12:51");
		assert_int_equal(h.blobs, 1);
		assert_int_equal(h.blob_ends, 1);
		assert_string_equal(h.format, ".fits");
		h.blob[h.blob_len] = '\0';
		assert_string_equal(h.blob, "\nZm9v\nYmFy\n  ");
		indi_store_fini(&h.store);
	}
}

#define DEFINE(device, name, value)                                                                                    \
	"<defNumberVector device=\"" device "\" name=\"" name "\" state=\"Ok\"><defNumber name=\"N\" min=\"1\" "      \
	"max=\"9\">" value "</defNumber></defNumberVector>"

static void what_is_deleted_is_gone(void **state)
{
	(void)state;
	struct heard h;
	assert_int_equal(hear(&h, DEFINE("A", "P", "1") DEFINE("A", "Q", "2") DEFINE("B", "P", "3")
		DEFINE("A", "P", "4") "<delProperty device=\"A\" name=\"Q\"/>"
		"<setNumberVector device=\"A\" name=\"Q\"><oneNumber name=\"N\">5</oneNumber></setNumberVector>", 999),
		ERR_OK);
	/* A second definition takes the place of the first, and news of what is not there are nothing. */
	assert_int_equal(h.store.properties, 2);
	assert_true(indi_store_number(&h.store, "A", "P", "N") == 4.0);
	assert_null(indi_store_find(&h.store, "A", "Q"));
	indi_store_fini(&h.store);
	assert_int_equal(hear(&h, DEFINE("A", "P", "1") DEFINE("B", "P", "3") "<delProperty device=\"A\"/>", 999),
		ERR_OK);
	assert_null(indi_store_find(&h.store, "A", "P"));
	assert_true(isnan(indi_store_number(&h.store, "A", "P", "N")));
	assert_true(indi_store_number(&h.store, "B", "P", "N") == 3.0);
	assert_true(h.news.defined);
	assert_string_equal(h.news.device, "A");
	indi_store_fini(&h.store);
}

static void news_may_bring_a_new_range(void **state)
{
	(void)state;
	struct heard h;
	assert_int_equal(hear(&h, DEFINE("A", "P", "1")
		"<setNumberVector device=\"A\" name=\"P\" state=\"Alert\"><oneNumber name=\"N\" min=\"0\" max=\"77\">2"
		"</oneNumber><oneNumber name=\"other\">3</oneNumber></setNumberVector>", 999), ERR_OK);
	const struct indi_property *p = indi_store_find(&h.store, "A", "P");
	assert_int_equal(p->members, 1);
	assert_true(p->member[0].max == 77.0);
	assert_true(p->member[0].value == 2.0);
	assert_int_equal(p->state, INDI_ALERT);
	indi_store_fini(&h.store);
}

/* Bytes that are no UTF-8 come through as they were sent. */
static void names_are_bytes(void **state)
{
	(void)state;
	struct heard h;
	assert_int_equal(hear(&h, DEFINE("F\xC3\xBC\xC3\x9F" "e \xFF", "P", "1"), 3), ERR_OK);
	assert_true(indi_store_number(&h.store, "F\xC3\xBC\xC3\x9F" "e \xFF", "P", "N") == 1.0);
	indi_store_fini(&h.store);
}

static void numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		double value;
	} rows[] = {
		{"5", true, 5},
		{"\n  5.2000000000000001776\n ", true, 5.2},
		{"-1e3", true, -1000},
		{"+4", true, 4},
		/* Sexagesimal: 12 + 34/60 + 56.7/3600. */
		{"12:34:56.7", true, 12.5824166666666667},
		{"-0:30", true, -0.5},
		{" 12 30 ", true, 12.5},
		{"12;30;36", true, 12.51},
		{"", false, 0},
		{"abc", false, 0},
		{"1:2:3:4", false, 0},
		{"12:", false, 0},
		{"--1", false, 0},
		{"1:-2", false, 0},
		{"nan", false, 0},
		{"1,5", false, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double value = 99;
		bool good = indi_number_parse(rows[i].text, &value);
		if (good != rows[i].good || (good && fabs(value - rows[i].value) > 1e-12)) {
			fail_msg("'%s' is %d %.17g", rows[i].text, good, value);
		}
	}
}

static void what_is_no_indi(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n<html></body>",
		"</indi>",
		"<!DOCTYPE a [<!ENTITY b \"c\">]>",
		"<a></b>",
		"<a b=\"1\" b=\"2\"/>",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t piece = 1; piece < 50; piece += 7) {
			struct heard h;
			assert_int_equal(hear(&h, rows[i], piece), ERR_PROTOCOL);
			assert_non_null(strstr(h.err.text, "does not speak INDI"));
			indi_store_fini(&h.store);
		}
	}
}

/* Nobody makes the program hold more than it wants to. */
static void what_is_too_long(void **state)
{
	(void)state;
	struct heard h;
	struct buf text;
	buf_init(&text, 4 << 20);
	buf_puts(&text, "<a b=\"");
	for (int i = 0; i < INDI_TAG_MAX; i++) {
		buf_putc(&text, 'x');
	}
	assert_int_equal(hear(&h, text.data, 1000), ERR_PROTOCOL);
	buf_clear(&text);
	buf_puts(&text, "<a device=\"d\"><b>");
	for (int i = 0; i <= INDI_ELEMENT_MAX; i++) {
		buf_putc(&text, 'x');
	}
	buf_puts(&text, "</b></a>");
	assert_int_equal(hear(&h, text.data, 1000), ERR_PROTOCOL);
	assert_non_null(strstr(h.err.text, "too long"));
	buf_clear(&text);
	buf_puts(&text, "<a device=\"d\">");
	for (int i = 0; i < 2000; i++) {
		buf_puts(&text, "<b/>");
	}
	buf_puts(&text, "</a>");
	assert_int_equal(hear(&h, text.data, 1000), ERR_PROTOCOL);
	buf_fini(&text);
}

static void many_devices_are_too_many(void **state)
{
	(void)state;
	struct heard h;
	struct buf text;
	buf_init(&text, 4 << 20);
	for (int i = 0; i < 2 * INDI_DEVICES_MAX; i++) {
		buf_printf(&text, "<defTextVector device=\"D%d\" name=\"T\"/>", i);
	}
	assert_int_equal(hear(&h, text.data, text.len), ERR_OK);
	assert_int_equal(h.store.devices, INDI_DEVICES_MAX);
	assert_int_equal(h.store.properties, INDI_DEVICES_MAX);
	indi_store_fini(&h.store);
	buf_fini(&text);
}

static void base64_of_the_rfc(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"}, {"Zm9v\nYmFy\n", "foobar"}, {"Z m\r\n9\tv", "foo"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i][0]);
		for (size_t piece = 1; piece <= len; piece++) {
			struct indi_base64 b = {0};
			unsigned char out[64];
			size_t made = 0;
			for (size_t at = 0; at < len; at += piece) {
				size_t n = len - at < piece ? len - at : piece;
				made += indi_base64_decode(&b, rows[i][0] + at, n, out + made);
			}
			assert_true(indi_base64_whole(&b));
			assert_int_equal(made, strlen(rows[i][1]));
			assert_memory_equal(out, rows[i][1], made);
		}
	}
}

static void base64_that_is_none(void **state)
{
	(void)state;
	static const char *const rows[] = {"Zm9", "Zm9v!", "Z===", "=", "Zg==Zg==", "Zm\xC3\xBC" "9", "Zg=a"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct indi_base64 b = {0};
		unsigned char out[64];
		indi_base64_decode(&b, rows[i], strlen(rows[i]), out);
		if (indi_base64_whole(&b)) {
			fail_msg("'%s' is taken for base64", rows[i]);
		}
	}
}

static void addresses(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"tcp://localhost:7624", "localhost:7624"}, {"tcp://pi", "pi:7624"}, {"tcp://[::1]", "[::1]:7624"},
		{"tcp://[fe80::1]:99", "[fe80::1]:99"}, {"tcp://", NULL}, {"/dev/ttyUSB0", NULL}, {"auto", NULL},
		{"tcp://a-host-name-that-is-longer-than-any-that-fits-into-the-key-of-a-line", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[INDI_ADDRESS];
		struct err err;
		enum err_code code = indi_address(rows[i][0], out, &err);
		assert_int_equal(code, rows[i][1] != NULL ? ERR_OK : ERR_INVALID_VALUE);
		if (code == ERR_OK) {
			assert_string_equal(out, rows[i][1]);
		}
	}
}

static void what_is_sent_is_xml(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 100);
	indi_escape(&out, "a<b>&\"c'");
	assert_string_equal(buf_text(&out), "a&lt;b&gt;&amp;&quot;c&apos;");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_in_pieces_of_any_size),
		cmocka_unit_test(what_is_deleted_is_gone),
		cmocka_unit_test(news_may_bring_a_new_range),
		cmocka_unit_test(names_are_bytes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(what_is_no_indi),
		cmocka_unit_test(what_is_too_long),
		cmocka_unit_test(many_devices_are_too_many),
		cmocka_unit_test(base64_of_the_rfc),
		cmocka_unit_test(base64_that_is_none),
		cmocka_unit_test(addresses),
		cmocka_unit_test(what_is_sent_is_xml),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
